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
# # 1 · What is breast density?
#
# A mammogram is a projection of x-ray attenuation. Fat transmits x-rays and looks dark. Fibroglandular tissue absorbs
# more of them and looks bright, and so do cancers. The bright part of a breast is its *density*. Density matters for
# two reasons: dense tissue hides cancers, and women with more of it develop cancer more often ([what is
# known](../density.md)).
#
# In this notebook you simulate the projection yourself. You will
#
# 1. see why there is contrast at all, and why it is so low;
# 2. image synthetic patients with known tissue, one of each class A to D;
# 3. measure density by volume and by area, and see where the two differ;
# 4. compare two readers, and measure how often they disagree.
#
# It needs only densight: no data and no network. Every patient here is a phantom.

# %%
import matplotlib.pyplot as plt
import numpy as np

import densight
from densight.phantom.spectra import attenuation, energies, mean_transmission, spectrum

plt.rcParams.update({"figure.dpi": 80, "image.cmap": "gray", "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## 1. Why fat is dark
#
# Of $N_0$ photons of one energy, $N = N_0\, e^{-\mu x}$ pass through $x$ millimetres of a tissue (Beer–Lambert law).
# The attenuation $\mu$ depends on the tissue and strongly on the energy. Below about 30 keV the photoelectric effect
# dominates, which is proportional to about $Z^3/E^3$. Glandular tissue contains more oxygen than fat, which is mostly
# carbon and hydrogen, and it has a higher mass density.

# %%
energy = energies()
beam = spectrum("hologic-like", "W/Rh 28 kV")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
for tissue in ("adipose", "glandular", "calcium"):
    left.semilogy(energy, attenuation(tissue), label=tissue)
left.set(xlabel="photon energy in keV", ylabel="attenuation in 1/mm", title="What tissues stop", xlim=(8, 35))
left.legend(frameon=False)
right.fill_between(energy, beam.photons, alpha=0.4)
right.set(
    xlabel="photon energy in keV",
    ylabel="photons per mm² and mAs",
    title="Tungsten, rhodium filter, 28 kV",
    xlim=(8, 35),
)
plt.show()

at_20 = np.abs(energy - 20).argmin()
difference = attenuation("glandular")[at_20] - attenuation("adipose")[at_20]
print(
    f"At 20 keV, gland stops {difference:.3f} per mm more than fat: "
    f"10 mm of it take {1 - np.exp(-10 * difference):.0%} of the photons."
)

# %% [markdown]
# A compressed breast is about 50 mm thick. Replace part of the fat along a ray by gland and see what reaches the
# detector. The curve is nearly straight on a logarithmic scale. This is why a mammogram can be read as *millimetres
# of gland*, and why manufacturers' displays start with a logarithm.

# %%
gland = np.linspace(0, 50, 51, dtype=np.float32)
passed = mean_transmission({"adipose": 50 - gland, "glandular": gland}, beam.photons)[0]

figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.semilogy(gland, passed)
axes.set(xlabel="mm of gland in 50 mm of breast", ylabel="part of the photons that pass")
plt.show()
print(f"All fat: {passed[0]:.2%} pass. All gland: {passed[-1]:.2%}.")

# %% [markdown]
# **Exercise 1.** Radiographers increase the tube voltage for thick breasts. What is the disadvantage? Compare the
# contrast of 10 mm of gland in 50 mm of breast at 25 and at 34 kV.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
from densight.phantom.units import UNITS

contrasts = []
for one in UNITS["hologic-like"].beams:
    photons = spectrum("hologic-like", str(one)).photons
    mm = {"adipose": np.float32([50, 40]), "glandular": np.float32([0, 10])}
    fat, mixed = mean_transmission(mm, photons)[0]
    contrasts.append((str(one), 1 - mixed / fat, float(photons @ energy / photons.sum())))
for name, contrast, mean in contrasts:
    print(f"{name:<12} mean {mean:.1f} keV, contrast {contrast:.1%}")
# The higher the voltage, the more photons pass (less dose for the same signal), and the less gland stands out.

# %% [markdown]
# ## 2. Four patients
#
# `densight.phantom.exam` creates a breast in three dimensions, compresses it for the CC and the MLO view, sends rays
# through it, and displays the image as a manufacturer would. The seed determines everything; here the class is given
# as well.

# %%
women = {density: densight.phantom.exam(seed=11, density=density, shape=(384, 312)) for density in "ABCD"}

figure, axes = plt.subplots(2, 4, figsize=(10, 6), layout="constrained")
for column, (density, exam) in enumerate(women.items()):
    images = {mammogram.projection: mammogram for mammogram in exam}
    for row, projection in enumerate(("CC_R", "MLO_R")):
        axes[row, column].imshow(images[projection].pixels)
        axes[row, column].set_axis_off()
    axes[0, column].set_title(f"{density}: {exam.truth.volumetric_density:.1f} % of volume")
plt.show()

# %% [markdown]
# The classes are those of BI-RADS, fifth edition: **A** almost entirely fatty, **B** scattered areas of
# fibroglandular density, **C** heterogeneously dense, which may obscure small masses, **D** extremely dense, which
# lowers the sensitivity of mammography. C and D are called *dense*. The fifth edition deliberately removed the former
# quarters of area (25, 50 and 75 per cent) from the definition: what counts is whether a cancer could be hidden.
#
# For a phantom the ground truth is known: here, the millimetres of gland along each ray.

# %%
figure, axes = plt.subplots(1, 4, figsize=(10, 3.2), layout="constrained")
for one, (density, exam) in zip(axes, women.items(), strict=True):
    drawn = one.imshow(exam.truth.images["MLO_R"].glandular, cmap="magma", vmin=0, vmax=30)
    one.set_axis_off()
    one.set_title(density)
figure.colorbar(drawn, ax=axes, label="mm of gland", shrink=0.8)
plt.show()

# %% [markdown]
# ## 3. By volume, by area
#
# **Volumetric density** is the fraction of the breast's volume that is gland. **Percent density** is the bright
# fraction of the breast's *area*: what a reader outlines. A thin layer of gland over a wide area has a small volume
# and a large area.

# %%
rows = []
for seed in range(16):
    exam = densight.phantom.exam(seed=seed, mix=(0.25, 0.25, 0.25, 0.25), shape=(192, 156))
    measured = densight.anatomy.read(exam.mammograms[2])
    rows.append((exam.truth.volumetric_density, exam.truth.images["MLO_R"].percent_density, measured.percent_density))
volume, area, read = np.array(rows, float).T

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(volume, area, "o")
left.set(xlabel="volumetric density in %", ylabel="percent density in %", title="Two truths of 16 women")
for cut in (3.5, 7.5, 15.5):
    left.axvline(cut, color="0.8", zorder=0)
right.plot(area, read, "o")
right.axline((0, 0), slope=1, color="0.8")
right.set(xlabel="percent density, known", ylabel="percent density, read from the image", title="densight.anatomy")
plt.show()

# %% [markdown]
# The grey lines at 3.5, 7.5 and 15.5 % are the thresholds of these phantoms' classes (the grades of the software
# Volpara). The right plot is a measurement: `densight.anatomy.read` uses the image only.
#
# **Exercise 2.** Replace some gland by fat and image *the same patient* again, with the same noise:
# `densight.phantom.intervene(exam, region, to="fat")`, where `region = densight.phantom.Ball("R", (30, 0, 0), 20)` is
# a ball of 20 mm radius, 30 mm in front of the chest wall. How much do both densities fall? Show the difference of
# the two images.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
exam = women["C"]
fattier = densight.phantom.intervene(exam, densight.phantom.Ball("R", (30, 0, 0), 20), to="fat")
print(f"volume: {exam.truth.volumetric_density:.1f} -> {fattier.truth.volumetric_density:.1f} %")
print(
    f"area of CC_R: {exam.truth.images['CC_R'].percent_density:.1f} -> "
    f"{fattier.truth.images['CC_R'].percent_density:.1f} %"
)

figure, axes = plt.subplots(1, 3, figsize=(9, 3.8), layout="constrained")
before, after = (np.asarray(one.mammograms[0].pixels, float) for one in (exam, fattier))
for one, picture, title in zip(axes, (before, after, after - before), ("before", "after", "difference"), strict=True):
    one.imshow(picture, cmap="coolwarm" if title == "difference" else "gray")
    one.set(title=title, xticks=[], yticks=[])
plt.show()
# Nothing changes where no ray passes the ball: such pairs of images tell what *causes* an answer (notebook 5).

# %% [markdown]
# ## 4. Readers who disagree
#
# A class is a reader's judgement, and readers differ. Each synthetic patient has been read twice. Drawing patients
# without imaging them takes no time, so here are four thousand patients of a screening population.

# %%
from densight.figures.agreement import cohen_kappa
from densight.figures.confusion import accuracy, confusion_matrix
from densight.phantom.patient import draw_patient
from densight.phantom.settings import Settings

drawn = [draw_patient(seed, Settings()) for seed in range(4000)]
first, second = (np.array(["ABCD".index(woman.readers[reader]) for woman in drawn]) for reader in (0, 1))
table = confusion_matrix(first, second, n_classes=4)

figure, axes = plt.subplots(figsize=(4, 3.6), layout="constrained")
axes.imshow(table / table.sum(axis=1, keepdims=True), cmap="Blues", vmin=0, vmax=1)
for i in range(4):
    for j in range(4):
        axes.text(
            j,
            i,
            table[i, j],
            ha="center",
            va="center",
            color="white" if table[i, j] > 0.5 * table[i].sum() else "black",
        )
axes.set(
    xticks=range(4),
    yticks=range(4),
    xticklabels="ABCD",
    yticklabels="ABCD",
    xlabel="second reader",
    ylabel="first reader",
)
plt.show()
print(f"They give the same class to {accuracy(table):.0%} of the women, linear κ {cohen_kappa(table, 'linear'):.2f}.")
print(f"The first calls {np.mean(first >= 2):.0%} dense, the second {np.mean(second >= 2):.0%}.")

# %% [markdown]
# Nearly all disagreement is between neighbouring classes. **κ** removes the agreement that is expected by chance.
# With linear weights a difference of one class counts a third of a difference of three. Real readers differ more than
# these two: among 83 American radiologists the share of women called dense ranged from 6 to 85 % (Sprague et al.,
# Annals of Internal Medicine 165, 457, 2016).
#
# Remember this when a network reaches an accuracy of 80 %: **no network can agree with a reader better than the truth
# is defined.** Notebook 3 computes intervals for such numbers.
#
# **Exercise 3.** What is the best accuracy that a *perfect* measurement of volume could reach against the first
# reader?

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
by_volume = np.array(["ABCD".index(woman.density) for woman in drawn])
against = confusion_matrix(first, by_volume, n_classes=4)
print(f"accuracy {accuracy(against):.0%}, linear κ {cohen_kappa(against, 'linear'):.2f}")
# The meter makes no error; all of it is the reader's own judgement.

# %% [markdown]
# ## Summary
#
# - Gland absorbs slightly more than fat; contrast falls with the tube voltage.
# - Volume and area are different quantities. State which one you report.
# - The class is a judgement with variation. A figure without an interval hides this variation.
#
# Next: [a residual network learns the classes](2_train.ipynb).
