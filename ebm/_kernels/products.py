"""Products over hidden units of two states, of rows of factors g: prod_j (p_j + q_j g_j)."""

from ebm._jit import jit


@jit(reorder=True, fuse=True, inline=True)
def four_products(p, q, rows, out):
    """Of four rows of factors, for which p and q are read once: in less than half of the time of four products."""
    f, g, h, i = rows
    a, b, c, d = 1.0, 1.0, 1.0, 1.0
    for j in range(p.size):
        low, high = p[j], q[j]
        a *= low + high * f[j]
        b *= low + high * g[j]
        c *= low + high * h[j]
        d *= low + high * i[j]
    out[0], out[1], out[2], out[3] = a, b, c, d


@jit
def products(p, q, table, row, first, out):
    """out[k] is that of ``table[row + k, first : first + p.size]``; `out` holds a multiple of four."""
    last = first + p.size
    for k in range(0, out.size, 4):
        i = row + k
        g, h = table[i][first:last], table[i + 1][first:last]
        s, t = table[i + 2][first:last], table[i + 3][first:last]
        four_products(p, q, (g, h, s, t), out[k : k + 4])
