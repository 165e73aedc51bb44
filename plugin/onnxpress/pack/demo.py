"""Types of the manifest: what `<onnx-demo>` shows around the model."""

from dataclasses import dataclass, field
from typing import Literal

from .shapes import KEY

Channels = Literal["rgb", "bgr", "gray"]
Layout = Literal["nchw", "nhwc"]
Loading = Literal["click", "lazy", "eager"]


@dataclass(frozen=True, slots=True)
class Shorter:
    """Resize so that the shorter side has that many pixels (the other side is rounded down), then
    crop the centre."""

    shorter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """From a picture to a tensor; see kinds/picture.js and kinds/picture/resample.js.
    Steps: orient by EXIF, put on white where transparent, resize, crop the centre, then
    (value * scale - mean) / std with value in 0..255, then reorder."""

    input: str
    """the port's name"""
    resize: Literal["cover", "contain", "stretch"] | Shorter
    """cover: fill and crop; contain: fit inside and pad; stretch: ignore proportions"""
    filter: Literal["bilinear", "bicubic"] | None = None
    """bilinear; both antialias, as Pillow does"""
    channels: Channels | None = None
    """rgb; gray is ITU-R 601 luma, as Pillow's "L\""""
    layout: Layout
    scale: float | None = None
    """1/255"""
    mean: float | tuple[float, ...] | None = None
    """one for each channel, or a single number; 0"""
    std: float | tuple[float, ...] | None = None
    """one for each channel, or a single number; 1"""
    pad: float | None = None
    """the grey (0..255) around a "contain" picture; 0"""
    size: tuple[int, int]
    """height and width of the tensor"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The output that the page shows."""

    name: str
    kind: Literal["logits", "probabilities", "classes"] | None = None
    """image-classification: softmax is applied to logits. segmentation: "logits" or
    "probabilities" have a class axis, "classes" holds indices"""
    channels: Channels | None = None
    """of a picture; rgb"""
    layout: Layout | None = None
    """of a picture or a mask; nchw"""
    range: tuple[float, float] | None = None
    """of a picture: the values of black and of white; 0 and 1"""


@dataclass(frozen=True, slots=True)
class TopClass:
    """A class and its score, 0..1."""

    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleResult:
    """What the model made of a sample at the build; shown while the model loads."""

    top: tuple[TopClass, ...] | None = None
    image: str | None = None
    """the URL of a picture, or of a mask to lay over one"""
    after: str | None = None
    """the URL of the picture to show: the result, or the sample under its mask"""
    before: str | None = None
    """the URL of the part of the sample that the model got"""
    size: tuple[int, int] | None = None
    """width and height of both pictures"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture that visitors may try."""

    url: str
    size: tuple[int, int] | None = None
    """width and height in pixels"""
    title: str
    """also the picture's text alternative"""
    licence: str
    thumbnail: str | None = None
    """the URL of a small square picture"""
    author: str | None = None
    source: str | None = None
    """the URL of the page that it comes from"""
    result: SampleResult | None = None
    card: str | None = None
    """the URL of the picture on a gallery's card"""


@dataclass(frozen=True, slots=True)
class BlendOption:
    """One of the choices of a blend."""

    name: str
    thumbnail: str | None = None
    """the URL of a small picture: the sample with this option"""


@dataclass(frozen=True, slots=True)
class Blend:
    """An input that holds one weight for each option; the weights add up to 1."""

    kind: Literal["blend"]
    input: str
    label: str
    options: tuple[BlendOption, ...]
    initial: int | None = None
    """index of the option chosen at first; 0"""


@dataclass(frozen=True, slots=True)
class Slider:
    """An input that is filled with one number."""

    kind: Literal["slider"]
    input: str
    label: str
    min: float
    max: float
    value: float
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """An input that the visitor does not change."""

    kind: Literal["constant"]
    input: str
    label: str
    values: tuple[float, ...]


Control = Blend | Slider | Constant


@dataclass(frozen=True, slots=True)
class View:
    """How the answer is shown."""

    top: int | None = None
    """image-classification: how many bars; 5"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What `<onnx-demo>` shows around the model."""

    title: str
    task: str
    """the name of a module in tasks/"""
    output: Output
    loading: Loading | None = None
    """when the model is loaded; click"""
    view: View | None = None
    image: ImageInput | None = None
    """the input that takes a picture; absent for the task "tensor\""""
    labels: tuple[str, ...] | str = ()
    """a list, or the URL of a text file with one label in a line"""
    samples: tuple[Sample, ...] = ()
    """the poster shows the first one"""
    controls: tuple[Control, ...] = ()
    """every other input of the model"""
    threads: Literal["auto"] | int | None = None
    """of WebAssembly; "auto\""""
    weights_note: str = field(default="", metadata={KEY: "weightsNote"})
    """shown in plain sight, such as "The weights are untrained: ...\""""
