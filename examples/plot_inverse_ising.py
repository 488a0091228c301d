"""
==========================================
Couplings from samples, in four ways
==========================================
"""
import time
import warnings
import matplotlib.pyplot as plt
import numpy as np
from ebm import BoltzmannMachine, MaximumPseudoLikelihood, MeanFieldInversion, MaximumLikelihood

rng = np.random.default_rng(0)
for N, scale in ((12,.5),(14,1.0),(16,.7),(16,1.0)):
    J = np.triu(rng.normal(size=(N,N))*scale/np.sqrt(N),1); J=J+J.T
    b = rng.normal(size=N)*.3
    m = BoltzmannMachine.from_couplings(J,b)
    t=time.time()
    X = m.sample(20000,n_steps=100,random_state=0); print("sample",time.time()-t)
    iu=np.triu_indices(N,1)
    for name,g in dict(mf=MeanFieldInversion(order=1),tap=MeanFieldInversion(order=2),pl=MaximumPseudoLikelihood(),ml="maximum_likelihood").items():
        t=time.time()
        f=BoltzmannMachine(unit="spin",gradient=g).fit(X)
        d=f.couplings_-J
        print(N,scale,name,np.sqrt(np.mean(d[iu]**2)),time.time()-t)
