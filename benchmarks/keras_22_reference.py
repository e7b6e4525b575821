"""The tutorial's network in the tutorial's own Keras, 2.2.4: weights files and reference values as it made them.

Runs under Python 3.6 with ``tensorflow==1.12.3 keras==2.2.4 h5py<3 numpy==1.16.6 scipy==1.2.1 pillow``, without
densight:

``keras_22_reference.py WEIGHTS IMAGES OUT`` takes the weights that ``keras_reference.py equality`` drew (its
``weights_only.h5``), and writes ``model.h5``, ``weights_only.h5`` and what Keras 2.2.4 makes of every image of the
tutorial's folders below IMAGES (``reference.npz``).
"""

import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import backend, layers, models
from keras.preprocessing.image import ImageDataGenerator

SIZE = 650


def block(x, inner, outer, stride, project):
    """A bottleneck block, its layers created in the order of the tutorial's script."""
    y = layers.Conv2D(inner, (1, 1), padding="same")(x)
    y = layers.LeakyReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(inner, (3, 3), strides=(stride, stride), padding="same")(y)
    y = layers.LeakyReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(outer, (1, 1), padding="same")(y))
    if project:
        x = layers.Conv2D(outer, (1, 1), strides=(stride, stride), padding="same")(x)
        x = layers.BatchNormalization()(x)
    return layers.LeakyReLU()(layers.add([x, y]))


def tutorial_network():
    """The tutorial's network for 650×650 pixels."""
    image = layers.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(64, (3, 3), strides=(2, 2), padding="same")(image)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPool2D((3, 3), strides=(2, 2), padding="same")(x)
    for inner, outer, stride in ((64, 128, 1), (128, 256, 2), (128, 256, 2), (128, 256, 2)):
        for i in range(3):
            x = block(x, inner, outer, stride if i == 0 else 1, i == 0)
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.2)(x))
    return models.Model([image], [layers.Dense(4, activation="softmax")(x)])


def take_weights(model, path):
    """Set the weights that a later Keras wrote, layer for layer in the order of both."""
    with h5py.File(str(path), "r") as file:
        for i, name in enumerate(file.attrs["layer_names"]):
            model.layers[i].set_weights([file[name][weight][()] for weight in file[name].attrs["weight_names"]])


def tutorial_inputs(root):
    """Every image below ``<root>/<PROJECTION>/test/<CLASS>`` as the tutorial's script gives it to its network."""
    names, inputs = [], []
    for folder in sorted(root.glob("*/test")):
        generator = ImageDataGenerator(samplewise_center=True, rescale=1.0 / 255)
        flow = generator.flow_from_directory(
            str(folder), target_size=(SIZE, SIZE), batch_size=1, color_mode="rgb", shuffle=False
        )
        names += [(folder / name).relative_to(root).as_posix() for name in flow.filenames]
        inputs += [flow[i][0][0] for i in range(len(flow))]
    return names, np.stack(inputs)


def grad_cam(model, inputs):
    """The raw Grad-CAM of every class at the last ``add``, for scores before the softmax, by Keras' own gradients."""
    activation = [layer for layer in model.layers if layer.name.startswith("add")][-1].output
    scores = model.output.op.inputs[0]
    maps = []
    for label in range(4):
        (gradient,) = backend.gradients(scores[:, label], activation)
        maps.append(backend.sum(backend.mean(gradient, axis=(1, 2), keepdims=True) * activation, axis=-1))
    evaluate = backend.function([model.input, backend.learning_phase()], maps)
    return np.stack([np.concatenate(evaluate([image[None], 0])) for image in inputs])


def main():
    """The command line."""
    weights, images, out = map(Path, sys.argv[1:])
    names, inputs = tutorial_inputs(images)
    model = tutorial_network()
    take_weights(model, weights)
    model.compile("sgd", "categorical_crossentropy")
    model.save(str(out / "model.h5"))
    model.save_weights(str(out / "weights_only.h5"))
    np.savez(
        str(out / "reference.npz"),
        names=names,
        inputs=inputs,
        probabilities=model.predict(inputs, batch_size=1),
        maps=grad_cam(model, inputs),
        versions=["tensorflow " + tf.__version__, "keras " + keras.__version__, "numpy " + np.__version__],
    )


if __name__ == "__main__":
    main()
