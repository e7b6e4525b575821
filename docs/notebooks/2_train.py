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
# The tutorial of Scapicchio, Lizzi and Fantacci trains a residual network for each projection with a script of Keras,
# `Train_ResNet.py`. Here the script is taken apart piece by piece, each piece is run, and at the end a small sister of
# its network learns from phantoms on your own computer.
#
# densight has the script as the recipe `tutorial`, number for number ([the whole table](../tutorial.md)); what you run
# below is what the script does.

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
# ## 1. What the network sees
#
# ```python
# img_height = img_width = 650; img_channels = 3
# ImageDataGenerator(rescale=1./255, samplewise_center=True, ...)
# flow_from_directory(..., target_size=(650, 650), color_mode='rgb')
# ```
#
# Four choices, each with a price:
#
# - **650 × 650.** A network with a dense layer behind global average pooling could take any size, but a batch needs
#   one. The image is *stretched* to a square, so a breast that is narrow looks wide.
# - **The nearest pixel.** Keras resizes that way unless told otherwise: of a mammogram of 3328 × 2560 it looks at one
#   pixel in twenty, and at none of the others.
# - **Three channels.** The same grey three times, because networks for photographs have three. It costs the first
#   layer two thirds of its work and gains nothing.
# - **Samplewise centring.** From each image its own mean is taken. Fatter, larger breasts and smaller ones on a wide
#   black ground end at different levels: how much of the picture is air decides what zero means.

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
# densight's own recipe, `default`, turns every breast the same way, keeps its proportions and crops the air: the
# network need not learn to ignore what says nothing of density.
#
# **Exercise 1.** What does samplewise centring do to two women with the same tissue but breasts of different size?
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
# Each time an image is drawn it is turned, shifted and zoomed anew, so that a network cannot learn pictures by heart.
# No flip, for each projection has its own network and a mirrored CC_R would be a CC_L. Note that `zoom_range` zooms
# rows and columns *independently*: breasts are also squeezed.

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
# What comes in from outside is filled with the nearest pixel (`fill_mode='nearest'`, Keras' default): look for the
# smeared edges. A network could learn to see that an image has been moved, but not its class by it.
#
# ## 3. The network
#
# Twelve bottleneck blocks: a 1 × 1 convolution narrows, a 3 × 3 looks around, a 1 × 1 widens again, and the input is
# *added* to the result. What a block learns is a correction to its input, the residual, so that gradients pass 41
# convolutions unhurt. Behind them: mean over all places, a dense layer, softmax.

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
# The last feature map has 21 × 21 cells. Everything that a class activation map can show is 21 × 21 numbers: remember
# it in notebook 4.
#
# ## 4. What its optimiser lines really do
#
# ```python
# rmsprop = optimizers.RMSprop(lr=0.1)
# sgd = keras.optimizers.SGD(lr=0.1, decay=1e-1, momentum=0.9, nesterov=True)
# model.compile(optimizer='sgd', ...)
# ```
#
# Two optimisers are made and neither is used. The *string* `'sgd'` makes a third: plain SGD, Keras' default rate of
# 0.01, no momentum. Was that luck? The `decay` of the second counts steps, not epochs: $\eta_t = \eta_0 / (1 +
# 0.1\,t)$.

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
# After one epoch of 227 steps the unused one would learn at 0.004, after ten at 0.0004: it would have stopped before
# it had begun. A line that is not run cannot be seen in the result, so write down *what ran*: densight keeps the whole
# recipe in the model's record.
#
# **Batch norm** has a trap of its own. Keras' running statistics move by 1 % a step. How many steps until they have
# forgotten where they began?

# %%
started = 0.99 ** np.array([38, 227, 500, 1000])
print("part of the initial statistics left after 38, 227, 500, 1000 steps:", np.round(started, 3))

# %% [markdown]
# With a few hundred images and a few epochs, more than half of the statistics is still the initial zero and one, *at
# every one of 41 layers*: in training (batch statistics) the accuracy rises, in validation (running statistics) the
# network says one class for every image. If you ever see constant predictions, count your steps first.
#
# ## 5. Train
#
# 650 × 650 pixels and 100 epochs take a night on a workstation. To see all of it in a minute we make a small sister:
# 40 phantom women, 64 × 48 pixels, the same network, and let densight's own recipe drive it, with less augmentation,
# for all images are of one maker. A recipe is a file:

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
# The grey line is what guessing reaches. The loss does not go to zero, and is not meant to: the recipe's targets are
# *soft*, for a reader who says C means B rather than A if not C.
#
# Now the women whom the network has never seen. Patients are split, not images: two breasts of one woman are nearly
# twins, and a network that has seen the left one *knows* the right one.

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
# Rows are the truth. Look at the interval before you look at the accuracy: a few women tell whether a network learns,
# and not how well. `densight figures run` gives all figures with theirs.
#
# **Exercise 2.** Try the batch norm trap: the recipe `tutorial` with `shape: [64, 64]` and `epochs: 2`. How many steps
# are that? What are the accuracies of training and validation?

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
# **Exercise 3 (no solution, for an afternoon).** Train the whole thing: `densight demo` makes 160 exams and takes 7
# minutes; `densight train your_catalogue.csv --recipe tutorial --projection each -o models` is the tutorial itself, on
# your own images.
#
# ## What to take along
#
# - Say what the network sees before you say what it is: stretching, centring and cropping decide more than layers do.
# - What a script defines is not what it runs.
# - Count steps, not epochs, when batch norm is slow.
# - Split by patient.
#
# Next: [how good is it?](3_figures_of_merit.ipynb)
