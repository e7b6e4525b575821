"""The tutorial's network in Keras itself: weights files and reference values for densight to be compared with.

Runs in an environment with ``tensorflow-cpu==2.15.*``, Pillow and SciPy, without densight:

- ``keras_reference.py equality IMAGES OUT``: random weights, the weights file in every form that Keras 2.15 writes, and
  for every image of the tutorial's folders below IMAGES what Keras makes of it (``reference.npz``);
- ``keras_reference.py fixture OUT``: the small files that the tests read.

The network is written here anew from its description, not by densight's code, so that the two can disagree.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers

SIZE = 650
FIXTURE_SHAPE = (130, 101)
"""Even and odd sizes on the way down (130, 65, 33, 17, 9, 5 and 101, 51, 26, 13, 7, 4): both kinds of padding."""


def block(x: tf.Tensor, inner: int, outer: int, stride: int, project: bool) -> tf.Tensor:
    """A bottleneck block, its layers created in the order of the tutorial's script."""
    y = layers.Conv2D(inner, 1, padding="same")(x)
    y = layers.LeakyReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(inner, 3, strides=stride, padding="same")(y)
    y = layers.LeakyReLU()(layers.BatchNormalization()(y))
    y = layers.BatchNormalization()(layers.Conv2D(outer, 1, padding="same")(y))
    if project:
        x = layers.BatchNormalization()(layers.Conv2D(outer, 1, strides=stride, padding="same")(x))
    return layers.LeakyReLU()(layers.add([x, y]))


def tutorial_network(shape: tuple[int, int]) -> tf.keras.Model:
    """The tutorial's network for inputs of ``shape``."""
    image = layers.Input((*shape, 3))
    x = layers.Conv2D(64, 3, strides=2, padding="same")(image)
    x = layers.LeakyReLU()(layers.BatchNormalization()(x))
    x = layers.MaxPool2D(3, strides=2, padding="same")(x)
    for inner, outer, stride in ((64, 128, 1), (128, 256, 2), (128, 256, 2), (128, 256, 2)):
        for i in range(3):
            x = block(x, inner, outer, stride if i == 0 else 1, i == 0)
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.2)(x))
    return tf.keras.Model(image, layers.Dense(4, activation="softmax")(x))


def of_kind(model: tf.keras.Model, kind: type) -> list[tf.keras.layers.Layer]:
    """The model's layers of one class, in the model's order."""
    return [layer for layer in model.layers if isinstance(layer, kind)]


def batch_statistics(model: tf.keras.Model, images: np.ndarray) -> list[list[np.ndarray]]:
    """The mean and variance of these images in every batch norm, in the model's order."""
    norms = of_kind(model, layers.BatchNormalization)
    for norm in norms:
        norm.momentum = 0.0
    model(images, training=True)
    for norm in norms:
        norm.momentum = 0.99
    return [norm.get_weights()[2:] for norm in norms]


def randomise(model: tf.keras.Model, images: np.ndarray, seed: int) -> None:
    """Draw weights so that every layer matters: batch norm far from one and zero, activations O(1), classes apart."""
    rng = np.random.default_rng(seed)
    for conv in of_kind(model, layers.Conv2D):
        kernel, bias = conv.get_weights()
        spread = np.sqrt(2 / np.prod(kernel.shape[:3]))
        conv.set_weights([rng.normal(0, spread, kernel.shape), rng.normal(0, 0.2, bias.shape)])
    norms = of_kind(model, layers.BatchNormalization)
    for norm in norms:
        n = norm.gamma.shape[0]
        norm.set_weights([rng.uniform(0.5, 1.5, n), rng.normal(0, 0.4, n), np.zeros(n), np.ones(n)])
    for norm, (mean, variance) in zip(norms, batch_statistics(model, images[::4]), strict=True):
        mean = mean + 0.3 * np.sqrt(variance) * rng.normal(size=mean.shape)
        norm.set_weights([*norm.get_weights()[:2], mean, variance * rng.uniform(0.6, 1.6, mean.shape)])
    (pool,), (dense,) = of_kind(model, layers.GlobalAveragePooling2D), of_kind(model, layers.Dense)
    pooled = tf.keras.Model(model.input, pool.output).predict(images, batch_size=1, verbose=0)
    kernel = rng.normal(size=dense.kernel.shape)
    logits = pooled @ kernel
    kernel = 1.5 * kernel / logits.std(axis=0)
    dense.set_weights([kernel, rng.normal(0, 0.3, 4) - (pooled @ kernel).mean(axis=0)])


def grad_cam(model: tf.keras.Model, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last ``add`` layer's output and the raw Grad-CAM of every class there, for scores before the softmax.

    By automatic differentiation: the weight of a channel is the mean over positions of the score's derivative.
    """
    last = of_kind(model, layers.Add)[-1]
    upper = tf.keras.Model(model.input, last.output)
    tail = model.layers[model.layers.index(last) + 1 :]
    dense = tail[-1]
    softmax, dense.activation = dense.activation, tf.keras.activations.linear
    features, maps = [], []
    for image in images:
        activation = upper(image[None], training=False)
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(activation)
            x = activation
            for layer in tail:
                x = layer(x, training=False) if isinstance(layer, layers.Dropout) else layer(x)
            scores = [x[0, c] for c in range(x.shape[1])]
        weights = [tf.reduce_mean(tape.gradient(score, activation), axis=(0, 1, 2)) for score in scores]
        features.append(activation[0].numpy())
        maps.append([tf.reduce_sum(w * activation[0], axis=-1).numpy() for w in weights])
    dense.activation = softmax
    return np.stack(features), np.asarray(maps)


def tutorial_inputs(root: Path) -> tuple[list[str], np.ndarray]:
    """Every image below ``<root>/<PROJECTION>/test/<CLASS>`` as the tutorial's script gives it to its network."""
    names, inputs = [], []
    for folder in sorted(root.glob("*/test")):
        generator = tf.keras.preprocessing.image.ImageDataGenerator(samplewise_center=True, rescale=1.0 / 255)
        flow = generator.flow_from_directory(
            folder, target_size=(SIZE, SIZE), batch_size=1, color_mode="rgb", shuffle=False, class_mode="categorical"
        )
        names += [(folder / name).relative_to(root).as_posix() for name in flow.filenames]
        inputs += [flow[i][0][0] for i in range(len(flow))]
    return names, np.stack(inputs)


def make_equality(images: Path, out: Path, seed: int) -> None:
    """Weights files and reference values over real images."""
    names, inputs = tutorial_inputs(images)
    model = tutorial_network((SIZE, SIZE))
    randomise(model, inputs, seed)
    model.compile("sgd", "categorical_crossentropy")
    model.save(out / "model.h5")
    model.save_weights(out / "weights_only.h5")
    model.save_weights(out / "container.weights.h5")
    second = tutorial_network((SIZE, SIZE))
    second.set_weights(model.get_weights())
    second.save(out / "second_of_session.h5")
    features, maps = grad_cam(model, inputs)
    np.savez(
        out / "reference.npz",
        names=names,
        inputs=inputs,
        probabilities=model.predict(inputs, batch_size=1, verbose=0),
        features=features,
        maps=maps,
        versions=[f"tensorflow {tf.__version__}", f"keras {keras.__version__}", f"numpy {np.__version__}"],
    )


def fixture_image() -> np.ndarray:
    """A smooth image by a formula, ``FIXTURE_SHAPE`` and three different channels."""
    row, column = np.mgrid[: FIXTURE_SHAPE[0], : FIXTURE_SHAPE[1]]
    channels = [np.sin(row / 7) * np.cos(column / 5), np.cos(row * column / 900), np.sin((row + 2 * column) / 11)]
    return np.stack(channels, axis=-1).astype(np.float32)


def make_fixture(out: Path, seed: int) -> None:
    """The weights file of a full model and what Keras makes of one image, in tens of kB.

    Every tensor repeats a short random row of its own, of a prime length that lines up with no axis: it packs a
    hundredfold, and an axis or a layer taken for another still changes the result.
    """
    rng = np.random.default_rng(seed)

    def repeated(shape: tuple[int, ...], length: int, low: float, high: float) -> np.ndarray:
        return np.resize(rng.uniform(low, high, length).astype(np.float16).astype(np.float32), shape)

    model, small, image = tutorial_network((SIZE, SIZE)), tutorial_network(FIXTURE_SHAPE), fixture_image()[None]
    for conv in of_kind(small, layers.Conv2D):
        kernel, bias = conv.get_weights()
        limit = np.sqrt(6 / np.prod(kernel.shape[:3]))
        conv.set_weights([repeated(kernel.shape, 97, -limit, limit), repeated(bias.shape, 29, -0.3, 0.3)])
    norms = of_kind(small, layers.BatchNormalization)
    for norm, (mean, variance) in zip(norms, batch_statistics(small, image), strict=True):
        power = np.mean(variance + mean**2)
        drawn = [repeated(mean.shape, 29, *pair) for pair in ((0.5, 1.5), (-0.4, 0.4), (-0.4, 0.4), (0.5, 2.0))]
        norm.set_weights([*drawn[:2], drawn[2] * np.sqrt(power), drawn[3] * power])
    (dense,) = of_kind(small, layers.Dense)
    dense.set_weights([repeated(dense.kernel.shape, 97, -0.5, 0.5), repeated((4,), 4, -0.5, 0.5)])
    model.set_weights(small.get_weights())
    features, maps = grad_cam(small, image)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model.h5")
        packed = lzma.compress((Path(folder) / "model.h5").read_bytes(), preset=9 | lzma.PRESET_EXTREME)
    (out / "tutorial_keras_2.15.h5.xz").write_bytes(packed)
    expected = {
        "made_by": f"benchmarks/keras_reference.py fixture, seed {seed}, tensorflow {tf.__version__}",
        "probabilities": small.predict(image, verbose=0)[0].tolist(),
        "feature_means": features[0].mean(axis=(0, 1)).tolist()[:8],
        "maps": maps[0].tolist(),
    }
    (out / "tutorial_keras_2.15.json").write_text(json.dumps(expected) + "\n")
    print(len(packed), "bytes;", expected["probabilities"], np.abs(features).mean(), np.abs(maps).max())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parts = parser.add_subparsers(dest="part", required=True)
    equality = parts.add_parser("equality")
    equality.add_argument("images", type=Path)
    equality.add_argument("out", type=Path)
    parts.add_parser("fixture").add_argument("out", type=Path)
    options = parser.parse_args()
    if options.part == "equality":
        make_equality(options.images, options.out, options.seed)
    else:
        make_fixture(options.out, options.seed)


if __name__ == "__main__":
    main()
