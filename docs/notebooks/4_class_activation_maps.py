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
# # 4 · Class activation maps
#
# A network has predicted C. *Which part of the image does the prediction rest on?* The tutorial answers with Grad-CAM
# (Selvaraju et al., ICCV 2017), computed by the library keras-vis. In this notebook you will
#
# 1. write Grad-CAM by hand, from the formula;
# 2. see that for such a network no derivatives need to be computed;
# 3. look at all classes, not only at the predicted one;
# 4. draw the tutorial's pictures, and see how each of them changes the numbers.
#
# The network is `starter`, the model that comes with densight. It was trained on phantoms only; the patients below
# were not among them.

# %%
import os
import tempfile
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import densight
from densight.preparation.prepare import prepare

plt.rcParams.update({"figure.dpi": 80, "image.cmap": "gray"})
os.chdir(tempfile.mkdtemp())
warnings.filterwarnings("ignore", message="IProgress not found")  # bars as widgets, which nothing here needs

model = densight.load_model("starter")
exam = densight.phantom.exam(seed=21, density="C", shape=(384, 312), vendor="hologic-like")
image = exam.mammograms[2]
result = model.assess(exam)
print(f"{image.projection}: it says {result.density}, {result.probabilities.round(2)}; the truth is {exam.density}")

# %% [markdown]
# ## 1. From the formula
#
# Let $A^k_{ij}$ be the $k$-th map of the last convolution, and $y^c$ the score of class $c$ *before* the softmax.
# Grad-CAM weights each map by the mean of its derivative,
#
# $$\alpha^c_k = \frac{1}{Z} \sum_{ij} \frac{\partial y^c}{\partial A^k_{ij}}, \qquad
#   L^c_{ij} = \sum_k \alpha^c_k A^k_{ij},$$
#
# and keeps the positive part. It uses the score before the softmax. After the softmax a score can rise only at the
# expense of the others, and where the network is confident all derivatives vanish. PyTorch computes the derivatives:

# %%
bundle = model.models.of(image.projection)
network = bundle.network
anatomy = densight.anatomy.read(image)
x = torch.from_numpy(prepare(image, bundle.facts.preparation, anatomy).tensor)[None]

features = network.forward_features(x).detach().requires_grad_()
logits = network.forward_head(features)
by_hand = []
for score in logits[0]:
    (slope,) = torch.autograd.grad(score, features, retain_graph=True)
    alpha = slope.mean(dim=(2, 3), keepdim=True)
    by_hand.append((alpha * features).sum(dim=1)[0].detach().numpy())
by_hand = np.array(by_hand)
print(
    f"{features.shape[1]} maps of {features.shape[2]} × {features.shape[3]} cells; "
    f"a Grad-CAM for each of {len(by_hand)} classes"
)

# %% [markdown]
# ## 2. Without derivatives
#
# After the last map of this network, as in the tutorial's, come an activation, the mean over all places and a dense
# layer:
#
# $$y^c = b_c + \sum_k W_{ck} \frac{1}{Z} \sum_{ij} f(A^k_{ij}).$$
#
# Differentiate it on paper: $\partial y^c / \partial A^k_{ij} = W_{ck} f'(A^k_{ij}) / Z$. Only the mean of $f'$ is
# missing, and for ReLU it is *the share of cells above zero*. The maps of **all classes** therefore come from the
# forward pass of the assessment. This is how densight computes them.
#
# **Exercise 1.** Compute the maps in this way, from `network.classifier.weight`, and compare.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
with torch.no_grad():
    share = network.activation_slope(features).mean(dim=(2, 3))[0]
    cells = features.shape[2] * features.shape[3]
    closed = torch.einsum("ck,k,kij->cij", network.classifier.weight, share / cells, features[0]).numpy()
print("greatest difference, as a part of the peak:", np.abs(closed - by_hand).max() / np.abs(by_hand).max())

# %% [markdown]
# densight returns the same maps, at the resolution of the cells (`.cells`) and in the image's own pixels (`.map`):

# %%
explanation = model.explain(image)
print("greatest difference:", np.abs(explanation.cells - by_hand).max() / np.abs(by_hand).max())
print("cells", explanation.cells.shape, "-> image", explanation.map("C").shape)

# %% [markdown]
# ## 3. All classes
#
# The tutorial draws the map of the *predicted* class. But the classes compete: evidence for C may be even stronger
# evidence for D. Here a map keeps its sign, red for the class and blue against it, on one scale for all four.


# %%
def draw(axes, grey, values, title, scale):
    axes.imshow(grey)
    # Where the map says nothing, the image shows through.
    axes.imshow(values, cmap="bwr", vmin=-scale, vmax=scale, alpha=0.8 * (np.abs(values) / scale).clip(0, 1))
    axes.set(title=title, xticks=[], yticks=[])


maps = [explanation.map(label) for label in "ABCD"]
scale = max(np.abs(one).max() for one in maps)
figure, axes = plt.subplots(1, 4, figsize=(10, 3.5), layout="constrained")
for one, values, label, probability in zip(axes, maps, "ABCD", explanation.probabilities, strict=True):
    draw(one, image.pixels, values, f"{label}: {probability:.2f}", scale)
plt.show()

# %% [markdown]
# `starter` has one score behind all classes, so its four maps are one map with four weights: evidence against A is
# evidence for D. One map is then enough, that of the **expected class** $E = \sum_k k\, p_k$ (0 for A to 3 for D):
# positive where the image makes the result denser, negative where it makes it fattier.

# %%
expected = explanation.map("expected class")
truth = exam.truth.images[image.projection]
figure, axes = plt.subplots(1, 3, figsize=(9, 4), layout="constrained")
axes[0].imshow(image.pixels)
axes[0].set_title("the image")
draw(axes[1], image.pixels, expected, f"expected class {explanation.expected:.2f}", np.abs(expected).max())
axes[2].imshow(truth.glandular, cmap="magma")
axes[2].set_title("mm of gland, the truth")
for one in axes:
    one.set_axis_off()
plt.show()

# %% [markdown]
# They look similar. *How* similar they are, and whether similarity is enough, is the question of notebook 5.
#
# ## 4. The tutorial's pictures
#
# `densight explain` writes the tutorial's four pictures of each image, with its file names: the network's input, the
# map, the overlay and the contours (`C_..._overlay.png` starts with the predicted class).

# %% language="sh"
# densight phantom -n 1 --seed 21 --mix 0,0,100,0 --size 384x312 -o exams
# densight explain exams -o run
# ls run/maps/MLO_R

# %%
place = Path("run/maps/MLO_R")
figure, axes = plt.subplots(1, 4, figsize=(10, 3.6), layout="constrained")
for one, part in zip(axes, ("650", "map", "overlay", "contours"), strict=True):
    (path,) = place.glob(f"*_{part}.png")
    one.imshow(plt.imread(path))
    one.set(title=path.name, xticks=[], yticks=[])
    one.title.set_size(8)
plt.show()

# %% [markdown]
# Three steps lead from numbers to such pictures, and each can mislead:
#
# - **The negative part is discarded.** Evidence *against* the class is not visible.
# - **The rest is stretched to its own maximum.** A map of strong evidence and a map of almost none look equally red.
#   densight keeps the raw map (`.npy`, `.tif`), uses one scale per exam, and reports where there is no positive
#   evidence.
# - **Cells are interpolated to pixels.** The tutorial's map has 21 × 21 cells of 31 pixels each in the network's
#   frame. A contour around a single calcification would have no basis.
#
# **Exercise 2.** Demonstrate the second point. Compare the map of this image with the map of the same patient's image
# after half of the gland is replaced by fat. Draw each first on its own scale and then both on one scale.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
half = truth.dense.copy()
half[: half.shape[0] // 2] = False
changed = densight.phantom.intervene(exam, densight.phantom.Rays(image.projection, half), to="fat")
later = next(one for one in changed if one.projection == image.projection)
pair = [explanation.map("expected class"), model.explain(later).map("expected class")]
figure, axes = plt.subplots(1, 4, figsize=(10, 3.4), layout="constrained")
for i, (one, values) in enumerate(zip((image, later), pair, strict=True)):
    draw(axes[i], one.pixels, values, "own scale", np.abs(values).max())
    draw(axes[2 + i], one.pixels, values, "one scale", max(np.abs(each).max() for each in pair))
plt.show()
print("peaks:", [round(float(np.abs(values).max()), 3) for values in pair])

# %% [markdown]
# ## Other methods
#
# Grad-CAM is one of many methods. They need not agree.

# %%
methods = ("grad-cam", "integrated-gradients", "occlusion", "kernel-shap")
figure, axes = plt.subplots(1, 4, figsize=(10, 3.5), layout="constrained")
for one, method in zip(axes, methods, strict=True):
    values = model.explain(image, method=method).map("expected class")
    peak = np.quantile(np.abs(values), 0.998)
    draw(one, image.pixels, values, method, peak)
plt.show()

# %% [markdown]
# ## Summary
#
# - Grad-CAM of a network with a linear head costs nothing beyond the assessment, for every class.
# - Keep the sign, and keep the scale.
# - A map has no more information than its cells.
#
# Next: [is the map true?](5_is_the_map_true.ipynb)
