from nnplug.api import best as best
from nnplug.api import bundle_export as bundle_export
from nnplug.api import bundle_import as bundle_import
from nnplug.api import bundle_list as bundle_list
from nnplug.api import check as check
from nnplug.api import convert as convert
from nnplug.api import evaluate as evaluate
from nnplug.api import plan as plan
from nnplug.api import predict as predict
from nnplug.api import scan as scan
from nnplug.api import train as train
from nnplug.api import train_steps as train_steps
from nnplug.api import trainers as trainers
from nnplug.predictor import Prediction as Prediction
from nnplug.predictor import Predictor as Predictor

__version__: str
