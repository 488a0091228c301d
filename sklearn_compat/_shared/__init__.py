"""Parts that several families use: settings, validation, labels, training, samples and likelihoods."""
