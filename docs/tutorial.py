# %% Imports
import numpy as np
import torch
from torch import nn
from gennas.eval.base import Fidelity
from gennas.export import export_module
from gennas.graph import GraphSchema
from gennas.spaces import Space
from gennas.training import Task, TrainEvaluator
from gennas.workbench.run import search

# %% A task of your own: which half of the image is brighter?
x = torch.rand(600, 1, 8, 8, generator=torch.Generator().manual_seed(0))
y = (x[..., :4].mean((1, 2, 3)) > x[..., 4:].mean((1, 2, 3))).long()
train, validation, test = ((x[part], y[part]) for part in (slice(400), slice(400, 500), slice(500, 600)))
task = Task.from_tensors("sides", train=train, validation=validation, test=test)

# %% A space of your own: three hidden layers, four widths each
class Widths(Space):
    name = "widths"
    def __init__(self):
        chain = np.eye(3, k=1, dtype=bool)
        edges, widths = np.stack([~chain, chain], axis=-1), ("2", "4", "8", "16")
        self.schema = GraphSchema(self.name, widths, ("none", "next"), np.ones((3, 4), dtype=bool), edges)

    def build(self, arch, spec):
        sizes = [int(np.prod(spec.input_shape)), *(int(self.schema.node_labels[i]) for i in arch.nodes)]
        layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (nn.Linear(a, b), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *layers, nn.Linear(sizes[-1], spec.num_outputs))

# %% A search under a bound, followed by W&B; its report is runs/sides/report.html
limits = {"constraint": "params<=1200", "cheap": "params", "budget": 16, "epochs": 20}
run = search(space=Widths, task=task, strategy="generative", **limits, track="wandb", out="runs/sides")
print(run, run.trials()[["arch", "val_accuracy", "params", "source"]], sep="\n")

# %% The best network, trained for longer: Python that imports torch alone, and its weights
net, values = TrainEvaluator(run.problem.space, task).train(run.best.arch, Fidelity(epochs=30), seed=0)
for form, file in {"source": "net.py", "safetensors": "net.safetensors"}.items():
    export_module(net, (x[:2],), run.directory / file, form)  # read back and compared
print(values["test_accuracy"])
