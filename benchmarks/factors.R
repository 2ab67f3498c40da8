# factanal on rows: seconds of the last of three calls, then loadings and uniquenesses scaled back.
args <- commandArgs(TRUE)
X <- matrix(readBin(args[1], "double", as.numeric(args[2]) * as.numeric(args[3])),
            as.numeric(args[2]), as.numeric(args[3]))
k <- as.integer(args[4])
calls <- if (ncol(X) > 100) 1 else 3
for (i in seq_len(calls)) {
  seconds <- system.time(
    f <- factanal(X, k, rotation = "none", control = list(opt = list(factr = 1, maxit = 10000)))
  )[["elapsed"]]
}
s <- apply(X, 2, sd) * sqrt((nrow(X) - 1) / nrow(X))
writeBin(c(seconds, as.vector(unclass(f$loadings) * s), f$uniquenesses * s^2), args[5])
