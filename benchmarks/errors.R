# lavaan's observed information of rows with holes at a given mean and covariance, with its inverse:
# seconds, then the standard errors of the mean and of the lower triangle of S, column by column.
args <- commandArgs(TRUE)
suppressMessages(library(lavaan))
n <- as.numeric(args[2]); d <- as.numeric(args[3])
X <- matrix(readBin(args[1], "double", n * d), n, d)
at <- readBin(args[4], "double", d + d * d)
mu <- at[seq_len(d)]; S <- matrix(at[-seq_len(d)], d, d)
Mp <- lavaan:::lav_data_missing_patterns(X)
Yp <- lavaan:::lav_samplestats_missing_patterns(X, Mp)
seconds <- system.time({
  H <- lavaan:::lav_mvnorm_missing_information_observed_samplestats(Yp = Yp, Mu = mu, Sigma = S)
  errors <- sqrt(diag(solve(H)) / n)
})[["elapsed"]]
writeBin(c(seconds, errors), args[5])
