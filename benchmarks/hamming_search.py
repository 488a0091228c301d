"""Time of a search among binary codes: by a scan, by addresses, and by scikit-learn's neighbors.

    python benchmarks/hamming_search.py [--repeats 5] [--largest 1000000]

Codes are random bits, and each query is the code of a row. Times are medians, of one thread, for one query: the 100
nearest codes of 32 and of 128 bits among 10 000, also by ``NearestNeighbors(metric="hamming", algorithm="brute")``, and
all codes of 30 bits within a radius of 1 to 4, for more and more rows. The last column says what "auto" takes.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from ebm import HammingIndex

QUERIES, NEAREST = 100, 100


def microseconds(call: Callable[[], object], repeats: int) -> float:
    """Median time of a query."""
    call()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        call()
        times.append(time.process_time() - begun)
    return float(np.median(times)) / QUERIES * 1e6


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000)
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    with threadpool_limits(1):
        for n_bits in (32, 128):
            codes = rng.integers(0, 2, (10_000, n_bits), dtype=np.uint8)
            queries, index = codes[:QUERIES], HammingIndex(codes)
            peer = NearestNeighbors(metric="hamming", algorithm="brute").fit(codes)
            ours = microseconds(lambda i=index, q=queries: i.kneighbors(q, NEAREST), asked.repeats)
            theirs = microseconds(lambda p=peer, q=queries: p.kneighbors(q, NEAREST), asked.repeats)
            print(f"{n_bits} bits, {NEAREST} nearest: {ours:.0f} us, scikit-learn {theirs:.0f} us")
        n_rows = 10_000
        while n_rows <= asked.largest:
            codes = rng.integers(0, 2, (n_rows, 30), dtype=np.uint8)
            queries, index = codes[:QUERIES], HammingIndex(codes)
            for radius in (1, 2, 3, 4):
                scan, addresses = (
                    microseconds(
                        lambda i=index, q=queries, r=radius, a=a: i.radius_neighbors(
                            q, r, algorithm=a
                        ),
                        asked.repeats,
                    )
                    for a in ("scan", "addresses")
                )
                looks_up = index._looks_up(radius)
                print(
                    f"{n_rows} rows, radius {radius}: scan {scan:.0f} us, addresses {addresses:.0f} us, "
                    f"auto takes {'addresses' if looks_up else 'the scan'}"
                )
            n_rows *= 10


if __name__ == "__main__":
    main()
