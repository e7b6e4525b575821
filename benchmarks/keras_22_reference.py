"""The tutorial's network in the tutorial's own Keras, 2.2.4: weights files and reference values as it made them.

Runs under Python 3.6 with ``tensorflow==1.12.3 keras==2.2.4 h5py<3 numpy==1.16.6 scipy==1.2.1 pillow``, without
densight:

- ``keras_22_reference.py equality WEIGHTS IMAGES OUT`` takes the weights that ``keras_reference.py equality`` drew (its
  ``model.h5``), and writes ``model.h5``, ``weights_only.h5`` and what Keras 2.2.4 makes of every image of the
  tutorial's folders below IMAGES (``reference.npz``);
- ``keras_22_reference.py fixture OUT`` writes the weights of the fixture in OUT as Keras 2.2.4 does.
"""

import argparse
import lzma
import tempfile
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
    """Set the weights of a full model that a later Keras wrote, layer for layer in the order of both."""
    with h5py.File(str(path), "r") as file:
        layers_of = file["model_weights"]
        for i, name in enumerate(layers_of.attrs["layer_names"]):
            group = layers_of[name]
            model.layers[i].set_weights([group[weight][()] for weight in group.attrs["weight_names"]])


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


def make_equality(weights, images, out):
    """Weights files and reference values over real images."""
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


def make_fixture(out):
    """The fixture of Keras 2.15 as Keras 2.2.4 writes it."""
    model = tutorial_network()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.h5"
        path.write_bytes(lzma.decompress((out / "tutorial_keras_2.15.h5.xz").read_bytes()))
        take_weights(model, path)
        model.save(str(path))
        packed = lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    (out / "tutorial_keras_2.2.h5.xz").write_bytes(packed)
    print(len(packed), "bytes")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = parser.add_subparsers(dest="part")
    equality = parts.add_parser("equality")
    for name in ("weights", "images", "out"):
        equality.add_argument(name, type=Path)
    parts.add_parser("fixture").add_argument("out", type=Path)
    options = parser.parse_args()
    if options.part == "equality":
        make_equality(options.weights, options.images, options.out)
    else:
        make_fixture(options.out)


if __name__ == "__main__":
    main()
