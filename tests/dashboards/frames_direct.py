import json
from pathlib import Path
import pandas as pd
from dashboards.figures import StudyFrames
from sweeps.store.frames import DIAGNOSTICS, EVALUATIONS, SAMPLES, TRIALS
from tests.dashboards.synthetic import histories
def frame(rows, cols): return pd.DataFrame(rows, columns=list(cols)).astype(dict(cols))
def frames_of(study, preset, storage_dir, **kw):
    T,E,D,S=[],[],[],[]
    for h in histories(preset, storage_dir, **kw):
        t=h.trial; c=t.config
        cell=dict(digest=t.digest, method=t.method, setting=t.setting, seed=t.seed)
        st=h.outcome.state if h.outcome else "running"
        hp=dict(state=st, alpha=c.alpha,beta1=c.beta1,beta2=c.beta2,n_dis=c.n_dis)
        ev=h.evaluations
        T.append({**cell,**hp,"dataset":c.dataset,"architecture":c.architecture,"updates":c.updates,"last_update":ev[-1].update if ev else 0,"train_s":ev[-1].train_s if ev else 0.,"evaluate_s":0.,"num_attempts":1,"reason":h.outcome.reason if h.outcome else "","error":"","config":json.dumps(c.to_dict()),"samples":str(ev[-1].samples) if ev and ev[-1].samples else None})
        for e in ev:
            for s in e.scores: E.append({**cell,**hp,"update":e.update,"protocol":s.protocol,"metric":s.metric,"value":s.value,"spread":s.spread,"num_generated":s.num_generated,"num_real":s.num_real,"split":s.split,"extractor":s.extractor,"floor":s.floor,"seconds":s.seconds})
            for n,v in e.diagnostics.items(): D.append({**cell,"update":e.update,"name":n,"value":v})
            if e.samples: S.append({**cell,"update":e.update,"path":str(e.samples)})
    return StudyFrames(study=study,preset=preset,storage_dir=Path(storage_dir),trials=frame(T,TRIALS),evaluations=frame(E,EVALUATIONS),diagnostics=frame(D,DIAGNOSTICS),samples=frame(S,SAMPLES))
