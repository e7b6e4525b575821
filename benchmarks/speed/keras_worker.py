"""Keras 2.15: predict, Grad-CAM of every class and fit, of the tutorial's network.

    python benchmarks/speed/keras_worker.py FOLDER

FOLDER holds ``images/<EXAM>/*.png`` to assess and ``train/<CLASS>/*.png``. Writes ``model.h5`` there, with random
weights, which the others read, if it is not there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import keras
import numpy as np
import tensorflow as tf
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img
from worker import serve

from keras_reference import SIZE, of_kind, randomise, tutorial_network

CLASSES = 4


def read(path: Path) -> np.ndarray:
    """An image as the tutorial's script gives it to its network, a batch of one."""
    x = img_to_array(load_img(path, color_mode="rgb", target_size=(SIZE, SIZE))) * np.float32(1 / 255)
    return (x - x.mean())[None]


def main() -> None:
    """Serve the tasks."""
    folder = Path(sys.argv[1])
    paths = sorted((folder / "images").rglob("*.png"))
    model = tutorial_network((SIZE, SIZE))
    if (folder / "model.h5").is_file():
        model.load_weights(folder / "model.h5")
    else:
        randomise(model, np.concatenate([read(path) for path in paths]), seed=1)
        model.save(folder / "model.h5")
    last = of_kind(model, layers.Add)[-1]
    both = tf.keras.Model(model.input, [last.output, model.output])

    def predict() -> list[float]:
        return [float(p) for path in paths for p in model.predict(read(path), verbose=0)[0]]

    def grad_cam(x: np.ndarray, label: int) -> np.ndarray:
        """As the Keras project's example "Grad-CAM class activation visualization" has it, enlarged to the input."""
        with tf.GradientTape() as tape:
            features, probabilities = both(x)
            score = probabilities[:, label]
        weights = tf.reduce_mean(tape.gradient(score, features), axis=(0, 1, 2))
        cells = tf.reduce_sum(weights * features[0], axis=-1)
        return tf.image.resize(cells[..., None], (SIZE, SIZE)).numpy()

    def explain() -> None:
        for path in paths:
            x = read(path)
            model.predict(x, verbose=0)
            for label in range(CLASSES):
                grad_cam(x, label)

    # The ranges of the tutorial's script.
    generator = ImageDataGenerator(
        rescale=1.0 / 255,
        samplewise_center=True,
        rotation_range=10,
        width_shift_range=0.2,
        height_shift_range=0.2,
        zoom_range=0.2,
    )
    flow = generator.flow_from_directory(folder / "train", (SIZE, SIZE), batch_size=4, class_mode="categorical", seed=1)
    learner = tutorial_network((SIZE, SIZE))
    learner.compile("sgd", "categorical_crossentropy", ["accuracy"])

    def fit() -> None:
        learner.fit(flow, epochs=1, verbose=0)

    serve(
        [f"tensorflow {tf.__version__}", f"keras {keras.__version__}"],
        {"keras predict": predict, "keras grad-cam": explain, "keras fit": fit},
    )


if __name__ == "__main__":
    main()
