"""
=================================================
A magnet loses its order at Onsager's temperature
=================================================

Spins on a square lattice, each connected to its four neighbours by couplings J = 1: the Ising model. At low
temperatures they agree, at high ones they do not. On an infinite lattice the change happens at one temperature, which
Onsager found in 1944: T = 2 / log(1 + sqrt(2)) = 2.269. Machines that are learned from data often sit near such a
point, where samples are correlated most and chains are slowest.

Here the lattice is a torus of 24 x 24 spins. Its energy and its specific heat are known exactly, too (Kaufman 1949),
and Gibbs sampling has to agree with them within its error, at every temperature.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ellipkm1, logsumexp

from ebm import BoltzmannMachine, lattice

LENGTH, N_CHAINS = 24, 64
N_SPINS = LENGTH**2
CRITICAL = 2 / np.arcsinh(1.0)

# %%
# The exact results
# -----------------
# For the endless lattice, the energy per spin and the magnetisation; for the torus, log Z, whose derivatives by the
# inverse temperature are the energy and its variance.


def onsager_energy(T):
    """Energy per spin of the endless lattice (Onsager 1944)."""
    K = 1 / T
    root = (
        2 * np.tanh(2 * K) ** 2 - 1
    )  # zero at the critical temperature, where the integral is infinite
    integral = ellipkm1(np.maximum(root**2, 1e-30))
    return -(1 + 2 / np.pi * root * integral) / np.tanh(2 * K)


def spontaneous_magnetisation(T):
    """Magnetisation per spin of the endless lattice (Yang 1952)."""
    inside = 1 - np.sinh(2 / np.minimum(T, CRITICAL)) ** -4.0
    return np.maximum(inside, 0) ** (1 / 8)


def log_partition_of_torus(K, n):
    """Log Z of n x n spins at the inverse temperature K (Kaufman 1949)."""
    angles = np.arange(1, 2 * n) * np.pi / n
    gamma = np.arccosh(np.cosh(2 * K) ** 2 / np.sinh(2 * K) - np.cos(angles))
    gamma = np.append(2 * K + np.log(np.tanh(K)), gamma)  # the first one may be negative
    factors = n / 2 * gamma
    log_cosh = np.logaddexp(factors, -factors)
    log_sinh = np.abs(factors) + np.log(-np.expm1(-2 * np.abs(factors)))
    terms = [f[start::2].sum() for start in (1, 0) for f in (log_cosh, log_sinh)]
    signs = [1, 1, 1, np.sign(gamma[0])]
    return logsumexp(terms, b=signs) - np.log(2) + n * n / 2 * np.log(2 * np.sinh(2 * K))


def torus_energy(T, n=LENGTH, step=1e-4):
    """Energy per spin of the torus, by a central difference of log Z."""
    ends = [log_partition_of_torus(1 / T + d, n) for d in (-step, step)]
    return -(ends[1] - ends[0]) / (2 * step) / n**2


def torus_heat(T, n=LENGTH, step=1e-3):
    """Specific heat per spin of the torus, dE/dT."""
    return (torus_energy(T + step, n) - torus_energy(T - step, n)) / (2 * step)


magnet = BoltzmannMachine.from_couplings(lattice((4, 4)))
by_counting = magnet.log_partition("exact", beta=1 / CRITICAL).value
by_formula = log_partition_of_torus(1 / CRITICAL, 4)
print(f"log Z of 4 x 4 spins: {by_counting:.8f} by enumeration, {by_formula:.8f} by the formula")
assert abs(by_counting - by_formula) < 1e-9

# %%
# Chains
# ------
# The model is nothing but its couplings; the temperature is an argument of ``sample``. From random states a cold magnet
# would get stuck in stripes, so the chains start in order and are heated up step by step: each temperature starts from
# the samples of the one below. The chains are independent, and their means give the standard errors.

magnet = BoltzmannMachine.from_couplings(lattice((LENGTH, LENGTH)).astype(np.float32))
magnet.set_params(random_state=0)  # each call draws on in this stream
temperatures = np.array([1.6, 1.8, 2.0, 2.1, 2.2, CRITICAL, 2.35, 2.42, 2.5, 2.65, 2.8, 3.0, 3.4])
N_SETTLE, N_PERIODS, N_SWEEPS = 120, 25, 8

states, snapshots = np.ones(N_SPINS), {}
energies = np.empty((len(temperatures), N_PERIODS, N_CHAINS))
magnetisation = np.empty_like(energies)
for i, T in enumerate(temperatures):
    states = magnet.sample(N_CHAINS, n_steps=N_SETTLE, start=states, beta=1 / T)
    for period in range(N_PERIODS):
        states = magnet.sample(N_CHAINS, n_steps=N_SWEEPS, start=states, beta=1 / T)
        energies[i, period] = magnet.energy(states) / N_SPINS
        magnetisation[i, period] = np.abs(states.mean(axis=1))
    sizes = np.abs(states.mean(axis=1))
    typical = np.abs(sizes - magnetisation[i].mean()).argmin()
    snapshots[T] = states[typical].reshape(LENGTH, LENGTH)


def over_chains(values):
    """Mean over periods and chains, and its standard error, (temperatures, periods, chains) -> 2 x (temperatures,)."""
    by_chain = values.mean(axis=1)
    return by_chain.mean(axis=1), by_chain.std(axis=1) / np.sqrt(N_CHAINS - 1)


energy, energy_error = over_chains(energies)
size, size_error = over_chains(magnetisation)
variances = (energies - energy[:, np.newaxis, np.newaxis]) ** 2 * N_SPINS
heat, heat_error = over_chains(variances / temperatures[:, np.newaxis, np.newaxis] ** 2)
exact = np.array([torus_energy(T) for T in temperatures])
exact_heat = np.array([torus_heat(T) for T in temperatures])

print("\n        T   energy per spin   error     exact   endless   |m|    heat   error   exact")
for i, T in enumerate(temperatures):
    print(
        f"    {T:5.3f} {energy[i]:17.4f} {energy_error[i]:7.4f} {exact[i]:9.4f} {onsager_energy(T):9.4f}"
        f" {size[i]:5.3f} {heat[i]:7.3f} {heat_error[i]:7.3f} {exact_heat[i]:7.3f}"
    )
assert (np.abs(energy - exact) < 5 * energy_error).all()
assert (np.abs(heat - exact_heat) < 5 * heat_error).all()
assert temperatures[heat.argmax()] in (2.2, CRITICAL, 2.35)  # the torus has its peak about here
cold, hot = temperatures < 2.15, temperatures > 2.9
assert np.allclose(size[cold], spontaneous_magnetisation(temperatures[cold]), atol=0.01)
assert (size[hot] < 0.15).all()

# %%
# Below the critical temperature a lattice of this size is as good as endless. About it, the torus rounds off what is
# singular: neither does the magnetisation drop to zero at once, nor is the specific heat infinite; that takes a lattice
# without end. The correlations reach as far as the lattice, and the snapshot has clusters of every size.

fig = plt.figure(figsize=(9, 6), layout="constrained")
top, bottom = fig.subfigures(2, 1, height_ratios=(1.2, 1))
axes = top.subplots(1, 3)
T = np.linspace(1.5, 3.5, 400)
axes[0].plot(T, spontaneous_magnetisation(T), color="gray", label="endless, exact")
axes[0].errorbar(temperatures, size, 2 * size_error, fmt="o", markersize=4, label="samples")
axes[1].plot(T, onsager_energy(T), color="gray", label="endless, exact")
axes[1].plot(T, [torus_energy(t) for t in T], color="black", lw=1, label="torus, exact")
axes[1].errorbar(temperatures, energy, 2 * energy_error, fmt="o", markersize=4, label="samples")
axes[2].plot(T, np.gradient(onsager_energy(T), T), color="gray", label="endless, exact")
axes[2].plot(T, [torus_heat(t) for t in T], color="black", lw=1, label="torus, exact")
axes[2].errorbar(temperatures, heat, 2 * heat_error, fmt="o", markersize=4, label="samples")
for ax, title in zip(axes, ("|magnetisation|", "energy", "specific heat"), strict=True):
    ax.axvline(CRITICAL, color="lightgray", linestyle=":", zorder=0)
    ax.set(title=f"{title} per spin", xlabel="temperature")
    ax.legend(fontsize="small")
shown = (1.8, CRITICAL, 3.4)
for ax, T in zip(bottom.subplots(1, 3), shown, strict=True):
    ax.imshow(snapshots[T], cmap="binary", vmin=-1, vmax=1)
    ax.set(title=f"T = {T:.3g}", xticks=[], yticks=[])
plt.show()
