"""The gradient of an RBM's log-likelihood, exact and as its estimators expect it.

For every parameter theta, at beta = 1,

    d/dtheta  mean over data of log p(v)  =  < -dE/dtheta >_data  -  < -dE/dtheta >_model,

where the data average takes v from the data and h from p(h | v), and the model average takes
both from p(v, h). A gradient is returned as an `OracleRBM` that holds, in the place of each
parameter, the derivative by it (None where the model has no such parameter).
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from tests.oracles import annealing, rbm, rbm_gibbs, tempering
from tests.oracles.rbm import OracleRBM


def energy_statistics(model, v, h, h_variance=0.0):
    """-dE/dtheta at (v, h) for every parameter theta.

        W:  s(v) s(h)'
        b:  v if Bernoulli, (v - b) / sigma^2 if Gaussian
        z:  ((v - b)^2 / 2 - v W s(h)) / sigma^2

    and the mirror image for c and zh. With h a conditional mean given v and ``h_variance`` the
    variance around it, the result is the average over h: only the square in zh feels it.
    """
    s_v, s_h = rbm.interaction(v, model.z), rbm.interaction(h, model.zh)
    of_b, of_c, of_z, of_zh = v, h, None, None
    if model.z is not None:
        of_b = (v - model.b) / np.exp(model.z)
        of_z = ((v - model.b) ** 2 / 2 - v * (model.W @ s_h)) / np.exp(model.z)
    if model.zh is not None:
        of_c = (h - model.c) / np.exp(model.zh)
        of_zh = (((h - model.c) ** 2 + h_variance) / 2 - h * (s_v @ model.W)) / np.exp(model.zh)
    return OracleRBM(W=np.outer(s_v, s_h), b=of_b, c=of_c, z=of_z, zh=of_zh)


def weighted_sum(weights, terms):
    """sum_k weight_k term_k, field by field, of a list of gradients."""
    total = {}
    for field in fields(OracleRBM):
        values = [getattr(term, field.name) for term in terms]
        if values[0] is not None:
            total[field.name] = sum(w * value for w, value in zip(weights, values, strict=True))
    return OracleRBM(**total)


def statistics_given_visible(model, v):
    """E[-dE/dtheta | v]: v fixed, h averaged over p(h | v)."""
    if model.zh is None:
        terms = [energy_statistics(model, v, h) for h in rbm.all_states(len(model.c))]
        return weighted_sum(rbm.hidden_given_visible(model, v), terms)
    mean, variance = rbm.hidden_moments(model, v)
    return energy_statistics(model, v, mean, h_variance=variance)


def statistics_given_hidden(model, h):
    """E[-dE/dtheta | h]: h fixed, v averaged over p(v | h)."""
    return rbm.swapped(statistics_given_visible(rbm.swapped(model), h))


def data_statistics(model, X):
    """< -dE/dtheta >_data: the mean over the rows v of X of E[-dE/dtheta | v]."""
    return weighted_sum([1 / len(X)] * len(X), [statistics_given_visible(model, v) for v in X])


def model_statistics(model):
    """< -dE/dtheta >_model: every state of a Bernoulli layer visited, the other one averaged."""
    if model.zh is None:
        terms = [statistics_given_hidden(model, h) for h in rbm.all_states(len(model.c))]
        return weighted_sum(rbm.hidden_probabilities(model), terms)
    if model.z is None:
        terms = [statistics_given_visible(model, v) for v in rbm.all_states(len(model.b))]
        return weighted_sum(rbm.visible_probabilities(model), terms)
    raise ValueError("At least one layer must be Bernoulli; see finite_difference_gradient.")


def log_likelihood_gradient(model, X):
    """d/dtheta mean log p(v) = < -dE/dtheta >_data - < -dE/dtheta >_model, exactly."""
    return weighted_sum([1.0, -1.0], [data_statistics(model, X), model_statistics(model)])


def finite_differences(function, model, step=1e-5):
    """(f(theta + step) - f(theta - step)) / (2 step), one entry of one parameter at a time."""
    gradient = {}
    for field in fields(OracleRBM):
        values = getattr(model, field.name)
        if values is None:
            continue
        slope = np.zeros(values.shape)
        for index in np.ndindex(values.shape):
            nudge = np.zeros(values.shape)
            nudge[index] = step
            above = function(replace(model, **{field.name: values + nudge}))
            below = function(replace(model, **{field.name: values - nudge}))
            slope[index] = (above - below) / (2 * step)
        gradient[field.name] = slope
    return OracleRBM(**gradient)


def finite_difference_gradient(model, X, step=1e-5):
    """The gradient of the mean log-likelihood by central differences: no derivative is used."""
    return finite_differences(lambda nudged: rbm.mean_log_likelihood(nudged, X), model, step)


def centred_gradient(model, X, mu, lam):
    """The centred gradient of Melchior, Fischer & Wiskott (2016), for Bernoulli units.

        dW = < (v - mu)(h - lam)' >_data - < (v - mu)(h - lam)' >_model
        db = < v >_data - < v >_model - dW lam
        dc = < h >_data - < h >_model - dW' mu

    It is the gradient by the parameters of the centred energy
    -(v - mu)' W (h - lam) - b~'v - c~'h, carried back to b = b~ - W lam and c = c~ - W' mu.
    With mu = 0 and lam = 0 it is the plain gradient.
    """
    v_states, h_states = rbm.all_states(len(model.b)), rbm.all_states(len(model.c))
    weighted_pairs = []  # the data count with a plus, the model with a minus
    for v in X:
        for p, h in zip(rbm.hidden_given_visible(model, v), h_states, strict=True):
            weighted_pairs.append((p / len(X), v, h))
    for v, row in zip(v_states, rbm.joint_probabilities(model), strict=True):
        for p, h in zip(row, h_states, strict=True):
            weighted_pairs.append((-p, v, h))
    dW = sum(weight * np.outer(v - mu, h - lam) for weight, v, h in weighted_pairs)
    dv = sum(weight * v for weight, v, h in weighted_pairs)
    dh = sum(weight * h for weight, v, h in weighted_pairs)
    return OracleRBM(W=dW, b=dv - dW @ lam, c=dh - dW.T @ mu)


def contrastive_divergence_gradient(model, X, n_steps, chains=None):
    """The expected CD-k estimate < -dE/dtheta >_data - < -dE/dtheta >_k, for Bernoulli units.

    The negative phase starts at the rows of X, alternates k times between h ~ p(h | v) and
    v ~ p(v | h), and averages over h given the last v. Here the alternation is not drawn but
    carried out on the law of v. With ``chains`` the negative phase starts at these rows
    instead: the expectation of one update of persistent contrastive divergence.
    """
    law = rbm_gibbs.visible_law_after(model, X if chains is None else chains, n_steps)
    terms = [statistics_given_visible(model, v) for v in rbm.all_states(len(model.b))]
    return weighted_sum([1.0, -1.0], [data_statistics(model, X), weighted_sum(law, terms)])


def fast_weights_gradient(model, fast, X, h, n_steps=1):
    """The expected estimate of persistent contrastive divergence with fast weights.

    The data phase is that of ``model``. The chains move under model + fast: from the hidden
    states ``h``, one row a chain, n_steps times v ~ p(v | h), with h ~ p(h | v) in between. The
    negative phase averages -dE/dtheta of model + fast over h given the last v. Bernoulli units.

    References
    ----------
    Tieleman & Hinton (2009). Using fast weights to improve persistent contrastive divergence.
    """
    both = weighted_sum([1.0, 1.0], [model, fast])
    law = rbm_gibbs.visible_law_from_hidden(both, h, n_steps)
    terms = [statistics_given_visible(both, v) for v in rbm.all_states(len(model.b))]
    return weighted_sum([1.0, -1.0], [data_statistics(model, X), weighted_sum(law, terms)])


def tempering_gradient(path, ladder, X, h, n_steps=1, sweeps=(0,)):
    """The expected estimate with the negative phase from parallel tempering, Bernoulli units.

    ``h`` (n_chains, R, n_hidden) are hidden states of the replicas of each of several ladders.
    After one round (`tempering.law_after_round`) -dE/dtheta of the model is averaged over h given
    the v of the replicas at t = 1.
    """
    table, law = annealing.tabulate(path), 0.0
    for replicas in h:
        after = tempering.law_after_round(table, ladder, replicas, n_steps, sweeps)
        law = law + tempering.replica_law(after, len(ladder)) / len(h)
    terms = [statistics_given_visible(path.model, v) for v in table.V]
    negative = weighted_sum(law, terms)
    return weighted_sum([1.0, -1.0], [data_statistics(path.model, X), negative])
