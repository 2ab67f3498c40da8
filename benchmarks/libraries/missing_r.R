# Fits of data with holes by R's packages, each timed in this process by Sys.time().
#
#   Rscript missing_r.R PEER DATA N D RESULT     float64, column by column; NaN for a hole
#
# After a warm-up on a few rows, every line read is a number of calls to make. The answer is a line
# "=> SECONDS PROCESSOR-SECONDS" for one call and for all of them. The mean and the covariance of
# the last call go to RESULT. Without DATA the packages' versions are printed.

lavaan_em <- function(...) list(
  run = function(X) lavaan:::lav_mvnorm_missing_h1_estimate_moments(Y = X, ...),
  read = function(fit, X) list(fit$Mu, fit$Sigma)
)

lavaan_cor <- list(
  run = function(X) lavaan::lavCor(as.data.frame(X), missing = "ml", output = "fit"),
  read = function(fit, X) {
    implied <- lavaan::lavInspect(fit, "implied")
    list(implied$mean, implied$cov)
  }
)

# boot.type: the rows as they are, where by default EM sees a bootstrap sample of them. What it returns
# is in units of the columns' observed standard deviations, about their observed means, and in order
# of increasing numbers of holes whatever names it bears (Amelia 1.8.1).
amelia <- function(...) list(
  run = function(X) Amelia::amelia(X, m = 1, p2s = 0, boot.type = "none", ...),
  read = function(fit, X) {
    at <- order(order(colSums(is.na(X))))
    sd <- apply(X, 2, sd, na.rm = TRUE)
    mean <- colMeans(X, na.rm = TRUE)
    list(mean + sd * fit$mu[at, 1], fit$covMatrices[at, at, 1] * outer(sd, sd))
  }
)

openmx <- list(
  run = function(X) {
    threads <- as.integer(Sys.getenv("OMP_NUM_THREADS", "1"))
    OpenMx::mxOption(key = "Number of Threads", value = threads)
    model <- OpenMx::mxRefModels(as.data.frame(X), run = FALSE)$Saturated
    OpenMx::mxRun(model, silent = TRUE, suppressWarnings = TRUE)
  },
  read = function(fit, X) {
    expected <- OpenMx::imxGetExpectationComponent(fit, c("means", "covariance"))
    list(expected$means, expected$covariance)
  }
)

norm_em <- function(...) list(
  run = function(X) {
    s <- norm::prelim.norm(X)
    list(s = s, theta = norm::em.norm(s, showits = FALSE, ...))
  },
  read = function(fit, X) {
    found <- norm::getparam.norm(fit$s, fit$theta)
    list(found$mu, found$sigma)
  }
)

peers <- list(
  "lavaan EM" = lavaan_em(),
  "lavaan EM, tol = 1e-10" = lavaan_em(tol = 1e-10, max.iter = 1000000L),
  "lavaan lavCor" = lavaan_cor,
  "Amelia" = amelia(),
  "Amelia, tolerance = 1e-10" = amelia(tolerance = 1e-10),
  "OpenMx saturated FIML" = openmx,
  "norm EM" = norm_em(),
  "norm EM, criterion = 1e-10" = norm_em(criterion = 1e-10, maxits = 1000000L)
)

holed <- function(values, n, d) {
  X <- matrix(values, n, d, dimnames = list(NULL, paste0("x", seq_len(d))))
  X[is.nan(X)] <- NA
  X
}

processor <- function() sum(proc.time()[1:2])

timed <- function(run, X, calls) {
  used <- processor()
  began <- Sys.time()
  for (call in seq_len(calls)) fit <- run(X)
  seconds <- as.numeric(difftime(Sys.time(), began, units = "secs")) / calls
  list(fit = fit, seconds = seconds, used = processor() - used)
}

warm_up <- function(run) {
  set.seed(0)
  X <- matrix(rnorm(300), 100, 3)
  X[cbind(1:30, rep(1:3, 10))] <- NaN
  run(holed(X, 100, 3))
}

answer <- function(peer, X, calls, path) {
  done <- timed(peer$run, X, calls)
  found <- peer$read(done$fit, X)
  writeBin(as.double(c(found[[1]], found[[2]])), path)
  cat(sprintf("=> %.9g %.9g\n", done$seconds, done$used))
  flush(stdout())
}

serve <- function(peer, X, path) {
  warm_up(peer$run)
  asked <- file("stdin", "r")
  while (length(line <- readLines(asked, n = 1L))) answer(peer, X, as.integer(line), path)
}

versions <- function() {
  found <- sapply(c("lavaan", "Amelia", "OpenMx", "norm"), function(name)
    if (nzchar(system.file(package = name))) as.character(packageVersion(name)) else "")
  cat(sprintf("%s %s\n", names(found)[nzchar(found)], found[nzchar(found)]), sep = "")
  cat(sprintf("R %s\n", getRversion()))
  cat(sprintf("BLAS %s, %s\n", basename(extSoftVersion()["BLAS"]), basename(La_library())))
}

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) == 0L) {
  versions()
} else {
  n <- as.integer(arguments[3])
  d <- as.integer(arguments[4])
  X <- holed(readBin(arguments[2], "double", as.double(n) * d), n, d)
  suppressPackageStartupMessages(serve(peers[[arguments[1]]], X, arguments[5]))
}
