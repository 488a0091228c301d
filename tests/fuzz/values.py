"""Values to call with, as source text: a failure is repeated by pasting it.

Each is an expression in which ``a`` is a good value of the argument in question. Those of ``SAME`` stand for the same
numbers as ``a``: a method takes them and gives the same result, or refuses them. Those of ``LONG`` may run for as long
as they please, but have to end with an interrupt.
"""

ARRAYS_SAME = """
a.tolist()
tuple(a.tolist())
[np.asarray(row) for row in a]
np.asfortranarray(a)
frozen(a)
a[::-1].copy()[::-1]
np.repeat(a, 2, axis=0)[::2]
np.repeat(a, 3, axis=-1)[..., ::3]
a.astype(object)
a.astype(">f8")
a.astype("g")
a.astype(np.float16).astype(float) if (a.astype(np.float16) == a).all() else a + 0.0
np.ma.array(a)
np.ma.array(a, mask=np.zeros(a.shape, bool))
memoryview(np.ascontiguousarray(a))
a.view(Sub)
pd.DataFrame(a)
pd.DataFrame(a, columns=list("abcd"))
pd.DataFrame(a, index=range(100, 100 + len(a)))
pd.DataFrame(a).convert_dtypes()
pd.DataFrame(a).astype(object)
pd.Series(a)
sp.csr_matrix(a)
sp.csr_array(a)
sp.csc_matrix(a)
sp.coo_matrix(a)
sp.lil_matrix(a)
sp.dok_array(a)
sp.bsr_matrix(a)
sp.dia_matrix(a)
doubled(sp.csr_matrix(a))
unsorted(sp.csr_matrix(a))
wide(sp.csr_array(a))
frozen_csr(sp.csr_matrix(a))
explicit(a)
Arrayish(a)
""".strip().splitlines()

# The same numbers only where all of them are 0 or 1.
BITS_SAME = """
a.astype(bool)
a.astype(np.int8)
a.astype(np.uint8)
a.astype(np.int64)
a.astype(np.uint64)
a.astype(np.float16)
a.astype(bool).tolist()
a.astype(int).tolist()
pd.DataFrame(a.astype(bool))
pd.DataFrame(a.astype(int)).astype("category")
pd.DataFrame(a.astype(int)).astype("Int64")
sp.csr_matrix(a.astype(bool))
sp.csr_matrix(a.astype(np.int8))
""".strip().splitlines()

ARRAYS_ODD = """
a.astype(np.float32)
np.asfortranarray(a.astype(np.float32))
sp.csr_matrix(a.astype(np.float32))
a.astype(complex)
a + 1j
a.astype(str)
a.astype("S3")
a.astype("U8")
np.full(a.shape, "x")
np.full(a.shape, "")
np.full(a.shape, None)
np.full(a.shape, "x", object)
np.full(a.shape, "1", object)
np.where(a > 0, "1", 0).astype(object)
np.full(a.shape, object())
np.full(a.shape, [None])
np.zeros(a.shape, "M8[s]")
np.zeros(a.shape, "m8[s]")
np.zeros(a.shape, "V4")
np.zeros(a.shape, [("x", "f8"), ("y", "i4")])
np.ma.array(a, mask=a > 0)
np.matrix(a)
np.full(a.shape, np.nan)
np.full(a.shape, np.inf)
np.full(a.shape, -np.inf)
put(a, np.nan)
put(a, np.inf)
put(a, -np.inf)
put(a, 2.0)
put(a, -1.0)
put(a, 0.5)
put(a, 1 + 1e-12)
put(a, -1e-300)
put(a, 5e-324)
put(a, 1e9)
put(a, -1e9)
put(a, 1e17)
put(a, 1e155)
put(a, -1e155)
put(a, 1e300)
put(a, 1.7e308)
put(a.astype(np.float32), 1e19)
put(a.astype(np.float32), 3e38)
put(a.astype(object), None)
put(a.astype(object), "x")
put(a.astype(object), pd.NA)
put(a.astype(object), 10**30)
put(a.astype(object), 1j)
put(a.astype(object), [1, 2])
sp.csr_matrix(put(a, np.nan))
sp.csr_matrix(put(a, np.inf))
sp.csr_matrix(put(a, 1e155))
pd.DataFrame(put(a, np.nan))
pd.DataFrame(put(a.astype(object), "x"))
a * 300
a * -1
a * 2 - 1
a * 1e-300
a * 1e155
a * 1e300
a - 1e9
a * 1e17
np.zeros_like(a)
np.ones_like(a)
np.full(a.shape, 0.5)
np.full(a.shape, 7.0)
np.full(a.shape, -0.0)
np.full(a.shape, 1e155)
np.full(a.shape, 1e300)
np.full(a.shape, 5e-324)
np.full(a.shape, 2**62)
np.full(a.shape, 2**64, object)
a[:0]
a[:1]
a[:2]
a[1:]
a[0]
a[..., :0]
a[..., :1]
a[..., :-1]
a.T
a.ravel()
a[None]
a[..., None]
a[None, None]
np.hstack([a, a])
np.concatenate([a, a])
np.concatenate([a, a, a, a, a, a])
np.empty((0, 0))
np.empty(0)
np.array(1.0)
np.array(None)
np.array("x")
np.broadcast_to(a[:1], a.shape)
np.lib.stride_tricks.as_strided(a, a.shape, (0,) * a.ndim)
sp.csr_matrix(a.shape)
sp.csr_matrix(a[:0])
sp.csr_matrix(a)[:, :-1]
broken(sp.csr_matrix(a), "index")
broken(sp.csr_matrix(a), "negative index")
broken(sp.csr_matrix(a), "pointer")
broken(sp.csr_matrix(a), "falling pointers")
broken(sp.csr_matrix(a), "short pointers")
broken(sp.csr_matrix(a), "short data")
broken(sp.csr_matrix(a), "first pointer")
broken(sp.csr_matrix(a), "object data")
broken(sp.csc_matrix(a), "index")
broken(sp.csc_matrix(a), "pointer")
sp.csr_matrix(a.astype(complex))
sp.csr_matrix(a * 300)
pd.DataFrame()
pd.DataFrame(a)[[0]]
pd.DataFrame(a, columns=list("aabb"))
pd.DataFrame(a, columns=[0, "b", 2, 3])
pd.DataFrame(a).astype(str)
pd.DataFrame(a).astype("category")
pd.DataFrame(a, columns=pd.MultiIndex.from_product([[0, 1], [0, 1]]))
pd.DataFrame(np.zeros(a.shape, "M8[s]"))
pd.Index(a[..., 0])
[[1, 2], [3]]
[[], []]
[[[1.0]]]
[["a", "b"]]
[None] * len(a)
[a, a]
[{}]
{"a": [1, 2]}
iter(a)
(row for row in a)
range(4)
set()
Broken()
""".strip().splitlines()

SCALARS_ODD = """
None
True
False
0
-1
1
2
7
0.5
-0.5
1e9
1e-9
1e-320
1e155
1e308
-1e308
float("nan")
float("inf")
-float("inf")
-10**30
np.int8(-1)
np.int8(100)
np.uint8(255)
np.int32(2)
np.float16(0.1)
np.float32(0.1)
np.float32("nan")
np.longdouble(0.1)
np.complex128(1)
np.array(2)
np.array([2])
np.array([])
np.array([1, 2])
np.ones((2, 2))
np.array("x")
np.datetime64("2020")
""
"x"
"auto"
"1"
"a\\0b"
"x" * 5000
b"x"
np.str_("x")
1j
[]
[1, 2]
[0.5, 0.5]
["x"]
(1,)
((1, 2), (3,))
{}
{"a": 1}
{1, 2}
range(3)
slice(2)
...
object()
print
lambda *args: None
pd.NA
pd.Series([1.0])
pd.DataFrame({"a": [1.0]})
sp.eye(2).tocsr()
Decimal("0.5")
Fraction(1, 2)
iter([])
X
X[0]
BernoulliRBM()
BernoulliRBM
Broken()
np.random.default_rng(0)
np.random.RandomState(0)
""".strip().splitlines()

LONG = ["2**31", "2**63", "10**9", "10**12", "10**30", "np.uint64(2**63)"]

INTEGERS_SAME = """
np.int8(a)
np.int16(a)
np.int32(a)
np.int64(a)
np.uint8(a)
np.uint16(a)
np.uint32(a)
np.uint64(a)
np.array(a)
Whole(a)
float(a)
np.float64(a)
""".strip().splitlines()

REALS_SAME = """
np.float64(a)
np.longdouble(a)
np.array(a)
Decimal(a)
Fraction(a)
Real(a)
""".strip().splitlines()

FLAGS_SAME = ["np.bool_(a)", "int(a)", "np.array(a)", "np.int8(a)"]
STRINGS_SAME = ["np.str_(a)", "np.array(a)", "a.encode()"]

LABELS = """
y.tolist()
y.astype(float)
y.astype(bool)
y.astype(str)
y.astype(object)
y.astype(np.int8)
y - 1
y * 0
y * 0 - 1
y + 0.5
y * 1e300
y[:, None]
y[:-1]
y[:0]
np.append(y, 1)
np.column_stack([y, 1 - y])
np.arange(len(y))
np.where(y > 0, "b", "a")
np.where(y > 0, "b", "a").astype(object)
np.where(y > 0, "b", None)
np.where(y > 0, "b", 1).astype(object)
np.where(y > 0, np.nan, 1.0)
np.where(y > 0, np.inf, 1.0)
np.where(y > 0, -1, 1)
np.where(y > 0, 10**15, 1)
y.astype("M8[s]")
y.astype(complex)
pd.Series(y)
pd.Series(y).astype("category")
pd.Series(y).astype("Int64")
pd.Series(np.where(y > 0, "b", "a"))
pd.DataFrame({"y": y})
sp.csr_matrix(y)
[[0], [1, 1]]
["a"] * len(y)
[None] * len(y)
[0, 1]
[1, 0]
[0]
[0, 0, 1]
[0, 1, 2]
["a", "b"]
["a", 1]
[np.nan, 1]
np.unique(y)
sp.csr_matrix([[0, 1]])
[[0, 1]]
""".strip().splitlines()

# What the expressions use beside the packages; pasted before a reproduction.
HELPERS = '''
def saved(est, *data):
    path = f"made-{len(os.listdir())}.npz"
    est.set_params(callbacks=Checkpoint(path)).fit(*data).set_params(callbacks=())
    est._saved = path
    return est
def file_of(est): return getattr(est, "_saved", "none.npz")
class Sub(np.ndarray): pass
class Whole(int): pass
class Real(float): pass
class Broken:
    """Raises at every touch."""
    def __array__(self, *args, **kwargs): raise RuntimeError("this object cannot be read")
    def __len__(self): raise RuntimeError("this object cannot be read")
class Arrayish:
    """Nothing but __array__."""
    def __init__(self, a): self.a = a
    def __array__(self, dtype=None, copy=None): return np.array(self.a, dtype)
def frozen(a): a = a.copy(); a.flags.writeable = False; return a
def put(a, value): a = a.copy(); a[(1,) * a.ndim] = value; return a
def doubled(c):
    data = np.repeat(c.data / 2, 2)
    return sp.csr_matrix((data, np.repeat(c.indices, 2), c.indptr * 2), c.shape)
def unsorted(c):
    back = np.concatenate([np.arange(i, j)[::-1] for i, j in zip(c.indptr, c.indptr[1:])])
    return sp.csr_matrix((c.data[back], c.indices[back], c.indptr), c.shape)
def wide(c): return sp.csr_array((c.data, c.indices.astype("i8"), c.indptr.astype("i8")), c.shape)
def frozen_csr(c):
    for part in (c.data, c.indices, c.indptr): part.flags.writeable = False
    return c
def explicit(a):
    columns = np.tile(np.arange(a.shape[1]), len(a))
    return sp.csr_matrix((a.ravel(), columns, np.arange(len(a) + 1) * a.shape[1]), a.shape)
def broken(c, how):
    if how == "index": c.indices[0] = 10**6
    if how == "negative index": c.indices[0] = -5
    if how == "pointer": c.indptr[-1] = 10**6
    if how == "falling pointers": c.indptr[1] = c.indptr[-1] + 3
    if how == "short pointers": c.indptr = c.indptr[:-2]
    if how == "short data": c.data = c.data[:-2]
    if how == "first pointer": c.indptr[0] = -3
    if how == "object data": c.data = c.data.astype(object)
    return c
'''.strip()
