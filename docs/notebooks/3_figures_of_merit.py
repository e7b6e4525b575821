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
# # 3 · Figures of merit
#
# The tutorial tests its four networks on 128 exams: 14 of class A, 51 of B, 50 of C and 13 of D. It takes the mean of
# the probabilities of an exam's four images, and reports *accuracy 81 %, recall 81 %, precision 80 %*. This notebook
# computes these figures again and examines what they mean:
#
# 1. the confusion matrix, and the three figures that come from it;
# 2. the interval of each figure: what 128 exams can show;
# 3. κ, and why accuracy alone is too optimistic;
# 4. whether the probabilities are calibrated, and how to calibrate them;
# 5. sets of classes instead of one class.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from densight.figures.agreement import cohen_kappa
from densight.figures.confusion import accuracy, macro_precision, macro_recall
from densight.figures.merit import measure

plt.rcParams.update({"figure.dpi": 80, "axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## 1. One table
#
# This is the tutorial's confusion matrix of the exams. Rows are the readers' classes, columns the networks' classes.
# Everything in this section follows from these sixteen numbers.

# %%
confusion = np.array(
    [
        [12, 2, 0, 0],
        [3, 40, 7, 1],
        [0, 6, 42, 2],
        [0, 0, 3, 10],
    ]
)
print(f"accuracy  {accuracy(confusion):.4f}   the diagonal's share")
print(f"recall    {macro_recall(confusion):.4f}   of each row the diagonal's share, then the mean")
print(f"precision {macro_precision(confusion):.4f}   of each column, then the mean")

# %% [markdown]
# With your own copy of the tutorial's `Predictions` folder, one command gives these figures and those of each
# projection and side:
#
# ```
# densight figures predictions_ccr.txt predictions_ccl.txt predictions_mlor.txt \
#     predictions_mlol.txt --labels labels.csv -o out
# ```
#
# ## 2. What 128 exams can show
#
# Another 128 patients would have given another number. Draw 128 exams *with replacement* from these, many times, and
# look at the distribution:

# %%
truth, said = (np.repeat(index.ravel(), confusion.ravel()) for index in np.indices(confusion.shape))
rng = np.random.default_rng(0)
drawn = rng.integers(128, size=(5000, 128))
accuracies = np.mean(truth[drawn] == said[drawn], axis=1)

figure, axes = plt.subplots(figsize=(5.5, 3), layout="constrained")
axes.hist(accuracies, bins=np.arange(0.66, 0.95, 1 / 128), color="0.7")
low, high = np.quantile(accuracies, (0.025, 0.975))
axes.axvspan(low, high, alpha=0.15)
axes.axvline(accuracy(confusion), color="k")
axes.set(xlabel="accuracy", yticks=[], title=f"bootstrap: 95 % between {low:.3f} and {high:.3f}")
plt.show()

# %% [markdown]
# densight computes an interval for every figure. A proportion of independent exams has Wilson's interval. Other
# figures have a bootstrap interval over *patients*, because two exams of one patient are not independent.

# %%
merit = measure(truth, said, [str(i) for i in range(128)], 4)
rows = {}
for name in ("accuracy", "macro_recall", "macro_precision", "kappa_linear", "kappa_quadratic"):
    one = merit[name]
    rows[name] = {"value": one.value, "low": one.interval[0], "high": one.interval[1], "interval": one.method}
pd.DataFrame(rows).T

# %%
pd.DataFrame(
    {
        label: {
            "women": int(row.sum()),
            "recall": one.recall.value,
            "low": one.recall.interval[0],
            "high": one.recall.interval[1],
        }
        for label, row, one in zip("ABCD", confusion, merit.by_class, strict=True)
    }
).T

# %% [markdown]
# There are 13 patients of class D. Their recall of .77 is compatible with any value from .5 to .9. The mean over
# classes, the tutorial's recall, gives each class the same weight, so its interval is wider than that of the
# accuracy.
#
# **Exercise 1.** The accuracy is .81. How many exams are needed for an interval with a total width of at most 0.06?
# Use `densight.figures.intervals.wilson_interval(successes, n)`.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
from densight.figures.intervals import wilson_interval

for n in (128, 256, 512, 640, 660, 1024):
    low, high = wilson_interval(round(0.81 * n), n)
    print(f"{n:>5} exams: [{low:.3f}, {high:.3f}], {high - low:.3f} wide")
# Half the width costs four times the exams. `densight plan` answers such questions for κ, AUC and calibration too.

# %% [markdown]
# ## 3. Chance, and the size of an error
#
# Always predicting B would be correct in 51 of 128 exams: 40 %. **κ** is the agreement beyond chance, as a fraction
# of the greatest possible agreement beyond chance. With *linear* weights an error of one class counts a third of an
# error of three; with *quadratic* weights it counts a ninth.

# %%
always_b = np.zeros((4, 4), int)
always_b[:, 1] = confusion.sum(axis=1)
for name, one in (("the tutorial's networks", confusion), ("always B", always_b)):
    kappas = ", ".join(f"{weights} {cohen_kappa(one, weights):.3f}" for weights in ("none", "linear", "quadratic"))
    print(f"{name:<24} accuracy {accuracy(one):.3f}; κ {kappas}")

# %% [markdown]
# **Exercise 2.** Two networks are wrong equally often, but one predicts the neighbouring class and the other the far
# end. Make both matrices from `confusion` by moving the off-diagonal counts, and compare accuracy, linear and
# quadratic κ.

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
right = np.diag(confusion)
wrong = confusion.sum(axis=1) - right
near, far = np.diag(right), np.diag(right)
for k in range(4):
    near[k, k + 1 if k < 3 else k - 1] += wrong[k]
    far[k, 3 if k < 2 else 0] += wrong[k]
for name, one in (("neighbours", near), ("far ends", far)):
    print(
        f"{name:<12} accuracy {accuracy(one):.3f}; linear κ {cohen_kappa(one, 'linear'):.3f}; "
        f"quadratic κ {cohen_kappa(one, 'quadratic'):.3f}"
    )
# Accuracy cannot tell them apart; for classes in an order, report a weighted κ.

# %% [markdown]
# ## 4. Are the probabilities calibrated?
#
# A network that predicts C with 90 % should be correct nine times in ten. To have thousands of exams, we use
# synthetic patients. Instead of a network we use a simulated one that observes the logarithm of density with some
# error and is *overconfident*, as networks are: it assumes half of its true error.

# %%
from statistics import NormalDist

from densight.phantom.patient import CUT_POINTS, draw_patient
from densight.phantom.settings import Settings

women = [draw_patient(seed, Settings()) for seed in range(3000)]
labels = np.array(["ABCD".index(woman.readers[0]) for woman in women])
density = np.log([np.mean(list(woman.volumetric_density.values())) for woman in women])
seen = density + 0.25 * rng.standard_normal(len(women))


def classes_of(seen: np.ndarray, error: float) -> np.ndarray:
    """Probabilities of A, B, C, D of one who believes to see the logarithm of density with this error."""
    below = np.array([[NormalDist(x, error).cdf(cut) for cut in np.log(CUT_POINTS)] for x in seen])
    return np.diff(np.c_[np.zeros(len(seen)), below, np.ones(len(seen))], axis=1).clip(1e-6)


too_sure = classes_of(seen, error=0.13)
too_sure /= too_sure.sum(axis=1, keepdims=True)

# %% [markdown]
# A **reliability diagram** groups the exams by confidence and shows how often the prediction was correct. On the
# diagonal, probabilities are calibrated.

# %%
from densight.figures.calibration import log_losses, reliability


def draw_reliability(axes, labels, probabilities, title):
    bins = [one for one in reliability(labels, probabilities) if one.n]
    axes.plot([one.confidence for one in bins], [one.accuracy for one in bins], "o-")
    axes.axline((0.5, 0.5), slope=1, color="0.8")
    axes.set(xlabel="how sure", ylabel="how often right", title=title, xlim=(0.3, 1.02), ylim=(0.3, 1.02))


figure, axes = plt.subplots(figsize=(3.8, 3.6), layout="constrained")
draw_reliability(axes, labels, too_sure, f"too sure: log score {log_losses(labels, too_sure).mean():.3f}")
plt.show()

# %% [markdown]
# **Temperature scaling** (Guo et al., 2017) divides the logits by one number, fitted on exams that were not used for
# training. It changes the confidence but not the class. Fit it on the first third, evaluate it on another third.

# %%
from densight.assessment.scaling import fit_scaling

fit, other, last = np.split(np.arange(len(labels)), 3)
scaling = fit_scaling(too_sure[fit], labels[fit], "temperature")
mended = scaling.apply(too_sure)

figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.6), layout="constrained")
draw_reliability(
    axes[0],
    labels[other],
    too_sure[other],
    f"before: log score {log_losses(labels[other], too_sure[other]).mean():.3f}",
)
draw_reliability(
    axes[1], labels[other], mended[other], f"after: log score {log_losses(labels[other], mended[other]).mean():.3f}"
)
plt.show()
print(scaling.words)

# %% [markdown]
# ## 5. A set instead of a class
#
# Between B and C an honest answer is "B or C". A **conformal set** contains the true class in, say, 90 % of exams,
# whatever the network, provided that the new exams are like those used for the fit. It assumes no normal distribution
# and no calibrated probabilities.

# %%
from densight.assessment.conformal import fit_sets

names = [str(i) for i in range(len(labels))]
sets = fit_sets(mended[other], labels[other], [names[i] for i in other], coverage=0.9)
held = sets.of(mended[last])
kept = held[np.arange(len(last)), labels[last]].mean()
print(f"The true class is in {kept:.1%} of the sets of {len(last)} other exams.")
pd.Series([" ".join(np.array(list("ABCD"))[row]) for row in held]).value_counts().rename_axis("set").to_frame("exams")

# %% [markdown]
# **Exercise 3.** Fit the sets on `too_sure` instead of `mended`. Is the coverage still as stated? What has become
# worse?

# %% tags=["hide-cell"] jupyter={"source_hidden": true, "outputs_hidden": true} cellView="form"
# @title Solution
rough = fit_sets(too_sure[other], labels[other], [names[i] for i in other], coverage=0.9).of(too_sure[last])
for name, one in (("mended", held), ("too sure", rough)):
    print(
        f"{name:<9} held {one[np.arange(len(last)), labels[last]].mean():.1%}, "
        f"{one.sum(axis=1).mean():.2f} classes a set"
    )
# The promise is kept all the same: it does not rest on the probabilities. How large the sets are does.

# %% [markdown]
# ## Summary
#
# - Report every figure with its interval, by patient, and the number of patients in the smallest class.
# - Report a weighted κ in addition to the accuracy, because the classes are ordered.
# - Calibrate probabilities on exams that were not used for training. A set may be the better answer.
#
# [Figures of merit](../figures.md) describes everything that densight measures and how it was validated.
#
# Next: [which tissue does the prediction rest on?](4_class_activation_maps.ipynb)
