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
# # 5 · Is the map true?
#
# The tutorial concludes from its maps that "the network looks at the dense regions". A map over a mammogram looks
# convincing whatever it shows. This notebook tests maps:
#
# 1. a network with a *known* rule: a planted shortcut;
# 2. why overlap with dense tissue proves little;
# 3. cause: change the tissue, measure the change of the result;
# 4. all trials of densight with one command.

# %%
import os
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import densight
from densight.explanation.methods.gradcam import grad_cam
from densight.preparation.prepare import Preparation, prepare
from densight.trials import map_measures

# The planted networks are in densight's repository, not in the package.
sys.path[:0] = [str(Path(folder).resolve()) for folder in ("benchmarks", "../../benchmarks")]
from trials.planted import looks_at_dense_tissue, reads_marker

plt.rcParams.update({"figure.dpi": 80, "image.cmap": "gray", "axes.spines.top": False, "axes.spines.right": False})
os.chdir(tempfile.mkdtemp())

# %% [markdown]
# ## 1. A planted shortcut
#
# These two networks are built by hand. One responds to the amount of bright tissue. The other reads the lead letters
# beside the breast. A trained network might do the same if its hospital imaged dense breasts in one room and others
# in another. Give both the same phantom.

# %%
exam = densight.phantom.exam(seed=8, density="C", shape=(384, 312))
image = exam.mammograms[2]
truth = exam.truth.images[image.projection]

planted = {
    "sees tissue": (looks_at_dense_tissue(), Preparation("default", (192, 128))),
    "reads the marker": (reads_marker(), Preparation("tutorial", (650, 650))),
}
found = {}
for name, (network, preparation) in planted.items():
    prepared = prepare(image, preparation)
    with torch.no_grad():
        features = network.forward_features(torch.from_numpy(prepared.tensor)[None])
        cells = grad_cam(network, features)[0, 3].numpy()
    step = float(network.stride)
    found[name] = np.maximum(prepared.geometry.map_to_image(cells, (0.0, 0.0), (step, step)), 0)

figure, axes = plt.subplots(1, 4, figsize=(10, 3.6), layout="constrained")
axes[0].imshow(image.pixels)
axes[0].set_title("the image")
for one, (name, values) in zip(axes[1:3], found.items(), strict=True):
    one.imshow(image.pixels)
    one.imshow(np.ma.masked_less(values, 0.1 * values.max()), cmap="autumn", alpha=0.7)
    one.set_title(f"Grad-CAM of D: {name}", fontsize=10)
marker = found["reads the marker"]
row, column = np.unravel_index(marker.argmax(), marker.shape)
there = np.s_[max(row - 24, 0) : row + 24, max(column - 24, 0) : column + 24]
axes[3].imshow(image.pixels[there])
axes[3].imshow(np.ma.masked_less(marker[there], 0.1 * marker.max()), cmap="autumn", alpha=0.7)
axes[3].set_title("there, enlarged", fontsize=10)
for one in axes:
    one.set_axis_off()
plt.show()
everywhere = np.ones(image.shape, bool)
for name, values in found.items():
    print(f"{name:<17} evidence inside the breast: {map_measures.mass_in(values, truth.breast, everywhere):.2f}")

# %% [markdown]
# Both maps are true for their networks; the first also shows that its network takes the pectoral muscle for gland.
# The fault is in the *network*. Finding such faults is the purpose of explanations.
#
# ## 2. Overlap is not enough
#
# Now measure how well a map finds the dense tissue: the area under the ROC curve of its values, among the pixels of
# the breast. .5 is chance. Which other images would also score well?

# %%
model = densight.load_model("starter")
explanation = model.explain(image)
rows, columns = np.indices(image.shape)
middle = [axis[truth.breast].mean() for axis in (rows, columns)]
smooth = -np.hypot(rows - middle[0], columns - middle[1]).astype(np.float32)

candidates = {
    "Grad-CAM of starter": explanation.map("expected class"),
    "the image itself": image.pixels.astype(np.float32),
    "distance to the breast's middle": smooth,
    "noise": np.random.default_rng(0).random(image.shape, np.float32),
}
for name, values in candidates.items():
    print(f"{name:<32} {map_measures.area_under_curve(values, truth.dense, truth.breast):.2f}")

# %% [markdown]
# The image itself does not depend on the network and finds the dense tissue, because dense tissue is bright. Even the
# distance to the breast's centre does. **A map that overlaps with dense tissue is shown to be a picture of the
# breast, and no more.**
#
# **Exercise 1.** Shuffle the weights of the network and draw its Grad-CAM again
# (`densight.trials.sanity.randomise(network, stages, images)`; stage 0 is the head). How similar are the two maps
# (`map_measures.rank_correlation(first, second)`)? What would it mean if they were the same?

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
from densight.trials.sanity import STAGES, randomise

bundle = model.models.of(image.projection)
tensor = torch.from_numpy(prepare(image, bundle.facts.preparation, densight.anatomy.read(image)).tensor)[None]
with torch.no_grad():
    before = grad_cam(bundle.network, bundle.network.forward_features(tensor))[0, 3].numpy()
    for stage in range(STAGES):
        forgot = randomise(bundle.network, range(stage + 1), tensor)
        after = grad_cam(forgot, forgot.forward_features(tensor))[0, 3].numpy()
        alike = map_measures.rank_correlation(before, after)
        print(f"{stage + 1} of {STAGES} stages forgotten: rank correlation {alike:+.2f}")
# A map that stays when the network has forgotten all it learnt is no map of what it learnt (Adebayo et al., 2018).

# %% [markdown]
# ## 3. Cause
#
# For a patient it is unknown what the result would have been with less tissue. For a phantom it can be computed:
# `intervene` images the same patient again with fat in place of gland. Replace the dense tissue of one quarter of the
# breast after another by fat. The *effect* of a quarter is the decrease of the expected class. The map's weight in
# each quarter should correlate with the effect.


# %%
def expected_class(mammogram):
    return float(model.assess(mammogram).probabilities @ np.arange(4))


values = explanation.map("expected class")
heights = np.quantile(rows[truth.dense], (0, 0.25, 0.5, 0.75, 1))
parts, effects, weights = [], [], []
for low, high in pairwise(heights):
    part = truth.dense & (rows >= low) & (rows < high + 1)
    changed = densight.phantom.intervene(exam, densight.phantom.Rays(image.projection, part), to="fat")
    later = next(one for one in changed if one.projection == image.projection)
    parts.append(part)
    effects.append(expected_class(image) - expected_class(later))
    weights.append(values[part].sum() / values[truth.dense].sum())

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
left.imshow(image.pixels)
for i, part in enumerate(parts):
    left.contour(part, levels=[0.5], colors=f"C{i}", linewidths=1)
left.set_axis_off()
right.scatter(weights, effects, c=[f"C{i}" for i in range(4)], s=60)
right.set(xlabel="part of the map's weight", ylabel="effect on the expected class")
plt.show()
alike = map_measures.rank_correlation(weights, effects)
print(f"rank correlation of weight and effect: {alike:+.2f}, of four parts of one woman")

# %% [markdown]
# Four parts of one patient prove nothing: the next section uses more.
#
# **Exercise 2.** Delete from the top: replace the tenth of the dense pixels where the map is highest by fat, then the
# tenth where it is lowest. Which change has the greater effect? (This is one point of a *deletion curve*.)

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
dense_values = values[truth.dense]
for name, part in {
    "highest tenth": truth.dense & (values >= np.quantile(dense_values, 0.9)),
    "lowest tenth": truth.dense & (values <= np.quantile(dense_values, 0.1)),
}.items():
    changed = densight.phantom.intervene(exam, densight.phantom.Rays(image.projection, part), to="fat")
    later = next(one for one in changed if one.projection == image.projection)
    print(f"{name}: {expected_class(image):.2f} -> {expected_class(later):.2f}")

# %% [markdown]
# ## 4. The trials
#
# `densight trial` runs all these tests on many images and patients, against chance, with intervals, and compares them
# with three *reference maps* that do not depend on the network. Here there are five patients with one image each, so
# that it takes a minute; use forty for a paper. A catalogue is a table: keep the rows that you want.

# %% language="sh"
# densight phantom -n 5 --seed 30 --mix 25,25,25,25 --size 192x156 -o exams --quiet
# head -1 exams/catalogue.csv > exams/mlo.csv
# grep _MLO_R exams/catalogue.csv >> exams/mlo.csv
# densight assess exams/mlo.csv -o run --quiet
# densight trial run --methods grad-cam --images 5

# %% [markdown]
# A **+** is better than chance, **~** no better, **−** worse. Read the trials one by one; they are never summed.
# `run/report.html` shows them with intervals, and a map that fails is drawn with a warning.
#
# No method can be trusted in general: with one network Grad-CAM failed seven of eight trials, with another two ([the
# whole comparison](../explanations.md)). Test it on the model that you use.
#
# **Exercise 3 (no solution, for an afternoon).** Plant a shortcut of your own: burn a cross into the images of class
# D, train a network on them (notebook 2), and find it with `densight trial`. How small can the cross be before
# neither the network nor you can find it?
#
# ## Summary
#
# - First test whether the network is right for the right reason, then whether the map shows it. These are two
#   questions.
# - Compare every figure with that of a map that does not depend on the network.
# - Where you can change the cause, change it.
