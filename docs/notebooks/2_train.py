# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2 · Train a residual network
#
# The tutorial of Scapicchio, Lizzi and Fantacci trains a residual network for each projection with a Keras script,
# `Train_ResNet.py`. This notebook explains and runs each part of the script. At the end, a smaller version of its
# network learns from phantoms on your own computer.
#
# densight implements the script as the recipe `tutorial`, with the same values ([the whole table](../tutorial.md)).
# What you run below does what the script does.

# %%
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

import densight
from densight.training.recipe import read_recipe

plt.rcParams.update({"figure.dpi": 80, "image.cmap": "gray", "axes.spines.top": False, "axes.spines.right": False})
os.chdir(tempfile.mkdtemp())  # what is made here goes with the session
recipe = read_recipe("tutorial")
pd.Series(vars(recipe)).to_frame("tutorial")

# %% [markdown]
# ## 1. The network's input
#
# ```python
# img_height = img_width = 650; img_channels = 3
# ImageDataGenerator(rescale=1./255, samplewise_center=True, ...)
# flow_from_directory(..., target_size=(650, 650), color_mode='rgb')
# ```
#
# Four choices, each with a disadvantage:
#
# - **650 × 650.** A network with a dense layer after global average pooling accepts any size, but a batch needs a
#   single size. The image is *stretched* to a square, so a narrow breast looks wide.
# - **The nearest pixel.** This is Keras' default for resizing: of a mammogram of 3328 × 2560 it uses one pixel in
#   twenty and ignores the others.
# - **Three channels.** The same grey values three times, because networks for photographs have three. This costs two
#   thirds of the first layer's work and gains nothing.
# - **Samplewise centring.** Each image's own mean is subtracted. Larger breasts and smaller ones on a wide black
#   background end at different levels: the share of air determines what zero means.

# %%
from densight.preparation.prepare import Preparation, prepare

exam = densight.phantom.exam(seed=4, density="C", shape=(512, 416))
image = exam.mammograms[0]
seen = prepare(image, Preparation("tutorial", (650, 650)))
upright = prepare(image, Preparation("default", (192, 128)))

figure, axes = plt.subplots(1, 3, figsize=(9, 3.8), layout="constrained")
for one, picture, title in zip(
    axes,
    (image.pixels, seen.tensor[0], upright.tensor[0]),
    (f"the image, {image.shape}", f"recipe tutorial, {seen.tensor.shape}", f"recipe default, {upright.tensor.shape}"),
    strict=True,
):
    one.imshow(picture)
    one.set(title=title, xticks=[], yticks=[])
plt.show()
print(f"tutorial: mean {seen.tensor.mean():+.4f}, from {seen.tensor.min():.2f} to {seen.tensor.max():.2f}")

# %% [markdown]
# densight's own recipe, `default`, turns every breast the same way, keeps its proportions and crops the air. The
# network need not learn to ignore what carries no information on density.
#
# **Exercise 1.** What does samplewise centring do to two patients with the same tissue but breasts of different size?
# Paste the breast into a frame twice as large and compare the value of the *same* pixel.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
grey = image.pixels.astype(np.float32) / image.pixels.max()
wide = np.zeros((2 * grey.shape[0], 2 * grey.shape[1]), np.float32)
wide[: grey.shape[0], : grey.shape[1]] = grey
brightest = np.unravel_index(grey.argmax(), grey.shape)
print(
    f"brightest pixel alone: {grey[brightest] - grey.mean():.2f}, "
    f"in the larger frame: {wide[brightest] - wide.mean():.2f}"
)
# The same tissue, another number: the network must learn the size of the breast to undo it.

# %% [markdown]
# ## 2. Augmentation
#
# ```python
# rotation_range=10, width_shift_range=0.2, height_shift_range=0.2, zoom_range=0.2, horizontal_flip=False
# ```
#
# Whenever an image is used, it is rotated, shifted and zoomed at random, so that a network cannot memorise images.
# There is no flip, because each projection has its own network and a mirrored CC_R would be a CC_L. Note that
# `zoom_range` zooms rows and columns *independently*: breasts are also distorted.

# %%
from densight.training.augmentation import augment

rng = np.random.default_rng(0)
framed = seen.image.astype(np.float32)
figure, axes = plt.subplots(1, 5, figsize=(10, 2.3), layout="constrained")
for one in axes:
    one.imshow(augment(framed, recipe, rng))
    one.set_axis_off()
plt.show()

# %% [markdown]
# Pixels from outside the image are filled with the nearest pixel (`fill_mode='nearest'`, Keras' default): look for
# the smeared edges. A network could learn from them that an image has been moved, but not its class.
#
# ## 3. The network
#
# Twelve bottleneck blocks: a 1 × 1 convolution reduces the channels, a 3 × 3 convolution combines neighbours, a 1 × 1
# convolution expands the channels again, and the input is *added* to the result. A block thus learns a correction to
# its input, the residual, so that gradients pass 41 convolutions without vanishing. Then follow the mean over all
# places, a dense layer, and softmax.

# %%
from densight.network.resnet import TutorialResNet

network = TutorialResNet(n_classes=4).eval()
with torch.no_grad():
    features = network.forward_features(torch.zeros(1, 3, 650, 650))
    logits = network.forward_head(features)
weights = sum(parameter.numel() for name, parameter in network.state_dict().items() if "num_batches" not in name)
print(f"{weights:,} parameters; features of add_12: {tuple(features.shape)}; logits: {tuple(logits.shape)}")

sides = {
    "input": 650,
    "stem": 325,
    "pool": 163,
    "blocks 1-3": 163,
    "blocks 4-6": 82,
    "blocks 7-9": 41,
    "blocks 10-12": 21,
}
pd.DataFrame(
    {"side": sides, "pixels of the input a cell": {name: round(650 / side, 1) for name, side in sides.items()}}
)

# %% [markdown]
# The last feature map has 21 × 21 cells. A class activation map can therefore show 21 × 21 numbers and no more:
# remember this in notebook 4.
#
# ## 4. What its optimiser lines really do
#
# ```python
# rmsprop = optimizers.RMSprop(lr=0.1)
# sgd = keras.optimizers.SGD(lr=0.1, decay=1e-1, momentum=0.9, nesterov=True)
# model.compile(optimizer='sgd', ...)
# ```
#
# Two optimisers are created and neither is used. The *string* `'sgd'` creates a third: plain SGD with Keras' default
# rate of 0.01 and no momentum. Was that fortunate? The `decay` of the second counts steps, not epochs: $\eta_t =
# \eta_0 / (1 + 0.1\,t)$.

# %%
steps = np.arange(1, 22_700)
figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
axes.loglog(steps, 0.1 / (1 + 0.1 * steps), label="SGD(lr=0.1, decay=0.1), unused")
axes.axhline(0.01, color="C1", label="'sgd', used until the plateau")
axes.axvline(227, color="0.8", zorder=0)
axes.text(240, 0.08, "first epoch ends", color="0.5")
axes.set(xlabel="step", ylabel="learning rate")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# After one epoch of 227 steps the unused optimiser would have a rate of 0.004, after ten epochs 0.0004: it would have
# stopped before it learnt anything. The result does not show which lines were not run, so record *what ran*: densight
# keeps the whole recipe in the model's record.
#
# **Batch norm** has a pitfall of its own. Keras' running statistics change by 1 % per step. After how many steps is
# the influence of the initial values gone?

# %%
started = 0.99 ** np.array([38, 227, 500, 1000])
print("part of the initial statistics left after 38, 227, 500, 1000 steps:", np.round(started, 3))

# %% [markdown]
# With a few hundred images and a few epochs, more than half of the statistics is still the initial zero and one, *in
# every one of 41 layers*. In training (batch statistics) the accuracy rises; in validation (running statistics) the
# network predicts one class for every image. If you ever see constant predictions, count your steps first.
#
# ## 5. Train
#
# 650 × 650 pixels and 100 epochs take a night on a workstation. To see all of it in a minute, we use a smaller
# version: 40 synthetic patients, 64 × 48 pixels, and the same network. It is trained by densight's own recipe, with
# less augmentation, because all images are of one manufacturer. A recipe is a file:

# %%
Path("small.yaml").write_text("""\
base: default
network: tutorial-resnet
shape: [64, 48]
batch_size: 4
epochs: 14
rotation: 5
shift: 0.05
zoom: 0.1
contrast: 0.0
""")

# %% language="sh"
# densight phantom -n 40 --seed 5 --mix 25,25,25,25 --vendor hologic-like --size 192x156 -o exams
# densight train exams/catalogue.csv --recipe small.yaml --projection all -o models

# %%
curves = pd.read_csv("models/all/training/curves.csv")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
curves.plot(x="epoch", y=["train_loss", "validation_loss"], ax=left)
curves.plot(x="epoch", y=["train_accuracy", "validation_accuracy"], ax=right)
right.axhline(0.25, color="0.8", zorder=0)
plt.show()

# %% [markdown]
# The grey line is the accuracy of guessing. The loss does not go to zero, and is not meant to: the recipe's targets
# are *soft*, because a reader who chose C would choose B rather than A as the alternative.
#
# Now follow the patients that the network has never seen. The split is by patient, not by image: the two breasts of
# one patient are very similar, and a network that has seen the left one *knows* the right one.

# %% language="sh"
# densight assess exams/catalogue.csv --split test --model models -o run --quiet

# %%
from densight.figures.intervals import wilson_interval

exams = pd.read_csv("run/exams.csv")
right = int((exams["density"] == exams["predicted"]).sum())
low, high = wilson_interval(right, len(exams))
print(f"right: {right} of {len(exams)}, {right / len(exams):.2f}; 95 % interval {low:.2f} to {high:.2f}")
pd.crosstab(exams["density"], exams["predicted"])

# %% [markdown]
# Rows are the true classes. Look at the interval before you look at the accuracy: a few patients show whether a
# network learns, but not how well. `densight figures run` gives all figures with their intervals.
#
# **Exercise 2.** Test the batch norm pitfall: use the recipe `tutorial` with `shape: [64, 64]` and `epochs: 2`. How
# many steps is that? What are the accuracies of training and validation?

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
import subprocess

Path("trap.yaml").write_text("base: tutorial\nshape: [64, 64]\nepochs: 2\n")
subprocess.run(
    ["densight", "train", "exams/catalogue.csv", "--recipe", "trap.yaml", "--projection", "all", "-o", "trap"],
    check=True,
    capture_output=True,
)
trap = pd.read_csv("trap/all/training/curves.csv")
images = pd.read_csv("exams/catalogue.csv").query("split == 'train'")
print(f"{len(trap) * -(-len(images) // 4)} steps")
print(trap[["epoch", "train_accuracy", "validation_accuracy"]].round(2).to_string(index=False))
# Few steps, statistics that are still more than half their initial values: nearly every image gets one class. Look
# yourself: densight assess exams/catalogue.csv --split validation --model trap -o run_trap

# %% [markdown]
# **Exercise 3 (no solution, for an afternoon).** Train the complete network: `densight demo` makes 160 exams and
# takes 7 minutes; `densight train your_catalogue.csv --recipe tutorial --projection each -o models` is the tutorial
# itself, on your own images.
#
# ## Summary
#
# - Describe the network's input before the network: stretching, centring and cropping matter more than layers.
# - A script does not necessarily run what it defines.
# - Count steps, not epochs, when batch norm is slow.
# - Split by patient.
#
# Next: [how good is it?](3_figures_of_merit.ipynb)
