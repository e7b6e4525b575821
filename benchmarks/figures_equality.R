# Figures of merit by R's own packages, for benchmarks/figures_equality.py: pROC 1.18, psych 2.2, and base R.
# Reads cases.csv (table, truth, told, other, p0 … p3, q0 … q3), writes r.csv (table, figure, value).
suppressMessages({library(pROC); library(psych)})
arguments <- commandArgs(trailingOnly = TRUE)
cases <- read.csv(file.path(arguments[1], "cases.csv"))
rows <- list()
note <- function(table, figure, value) rows[[length(rows) + 1]] <<- data.frame(table = table, figure = figure, value = value)
area <- function(response, score) as.numeric(auc(roc(response, score, quiet = TRUE, direction = "<", levels = c(0, 1))))
for (name in unique(cases$table)) {
  one <- cases[cases$table == name, ]
  counts <- table(factor(one$truth, 0:3), factor(one$told, 0:3))
  note(name, "accuracy", mean(one$truth == one$told))
  if (sum(rowSums(counts) > 0 | colSums(counts) > 0) > 1) {
    found <- suppressWarnings(cohen.kappa(counts))
    note(name, "kappa", found$kappa)
    note(name, "kappa_quadratic", found$weighted.kappa)
    apart <- abs(outer(0:3, 0:3, "-"))
    note(name, "kappa_linear", suppressWarnings(cohen.kappa(counts, w = 1 - apart / 3))$weighted.kappa)
  }
  dense <- as.integer(one$truth >= 2)
  if (length(unique(dense)) == 2) {
    first <- roc(dense, one$p2 + one$p3, quiet = TRUE, direction = "<", levels = c(0, 1))
    second <- roc(dense, one$q2 + one$q3, quiet = TRUE, direction = "<", levels = c(0, 1))
    note(name, "dense_auc", as.numeric(auc(first)))
    if (nrow(one) > 10) {
      note(name, "delong_p", suppressWarnings(roc.test(first, second, method = "delong", paired = TRUE))$p.value)
    }
  }
  areas <- c()
  for (k in 0:3) if (length(unique(one$truth == k)) == 2) areas <- c(areas, area(as.integer(one$truth == k), one[[paste0("p", k)]]))
  if (length(areas)) note(name, "macro_auc", mean(areas))
  right <- table(factor(one$truth == one$told, c(TRUE, FALSE)), factor(one$truth == one$other, c(TRUE, FALSE)))
  if (right[1, 2] + right[2, 1] > 0) note(name, "mcnemar_p", mcnemar.test(right, correct = FALSE)$p.value)
  note(name, "exact_low", binom.test(sum(one$truth == one$told), nrow(one))$conf.int[1])
  note(name, "exact_high", binom.test(sum(one$truth == one$told), nrow(one))$conf.int[2])
  wilson <- prop.test(sum(one$truth == one$told), nrow(one), correct = FALSE)$conf.int
  note(name, "wilson_low", wilson[1]); note(name, "wilson_high", wilson[2])
}
write.csv(do.call(rbind, rows), file.path(arguments[1], "r.csv"), row.names = FALSE)
