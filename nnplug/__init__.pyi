from nnplug.api import best as best
from nnplug.api import check as check
from nnplug.api import convert as convert
from nnplug.api import evaluate as evaluate
from nnplug.api import plan as plan
from nnplug.api import predict as predict
from nnplug.api import train as train
from nnplug.predictor import Prediction as Prediction
from nnplug.predictor import Predictor as Predictor

__version__: str
