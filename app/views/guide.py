"""The page "Guide": the question, the two phases, who said what, and where to see it."""

import streamlit as st

PLANE = "views/plane.py"
SENSITIVITY = "views/sensitivity.py"
GRADIENTS = "views/gradients.py"
VERDICTS = "views/verdicts.py"
TRIALS = "views/trials.py"
LAYERS = "views/layers.py"


def claim(text: str, label: str, preset: str, page: str = PLANE, **settings: str) -> None:
    """A claim beside the link that opens what shows it."""
    words, link = st.columns([4, 1.3], vertical_alignment="center")
    words.markdown(text)
    link.page_link(page, label=f":blue[{label} →]", query_params={"preset": preset} | settings)


st.header("Do networks compress their input while they learn?")
st.markdown(
    "A layer T of a network is a point in the **information plane**: I(X;T), what it tells of the"
    " input, against I(T;Y), what it tells of the label, both in bits. During training the point"
    " moves. In 2017 its path was said to have **two phases**: *fitting*, in which I(T;Y) rises,"
    " then *compression*, in which I(X;T) falls while the network generalises. Whether the second"
    " phase is there is disputed, because a deterministic network has I(X;T) infinite (continuous"
    " X) or, as long as it merges no inputs, constant (discrete X): every finite curve belongs to"
    " the estimator as much as to the network. Here you train the network and change the estimator."
)
st.subheader("Who said what")
claim(
    "**Two phases.** Layers of a tanh network first gain information about Y, then lose"
    " information about X (Shwartz-Ziv & Tishby 2017 [1]). Watch layers 4 and 5 with 30 bins.",
    "Original tanh network",
    "original-code",
)
claim(
    "**Drift, then diffusion.** Compression is said to begin where the gradients turn from signal"
    " to noise [1]. Schumacher (2018), Orhan (2017), Saxe et al. [2] and a dissertation of 2019"
    " each computed something else, and not all found the crossing: compare what the original code"
    " draws, what its caption says, and each layer by itself.",
    "Gradients of the original",
    "original-code",
    GRADIENTS,
)
claim(
    "**It is the activation.** With ReLU instead of tanh the same network does not compress;"
    " what falls with tanh is the number of bins that a saturating unit uses (Saxe et al."
    " 2018 [2]).",
    "Saxe: ReLU",
    "saxe-relu",
)
claim(
    "**It is the estimator.** The number of bins or the noise variance decides how much a curve"
    " rises or falls, and whether it can be seen at all (Saxe et al. 2018 [2]; Goldfeld et al."
    " 2019 [3]). See every value at once.",
    "Sensitivity of tanh",
    "saxe-tanh",
    SENSITIVITY,
)
claim(
    "**All of it at once.** Layer by layer and value by value: where compression is beyond doubt,"
    " and for which estimators only.",
    "Verdict map",
    "saxe-tanh",
    VERDICTS,
    limits="range",
)
claim(
    "**Bounds instead of bins.** With Gaussian noise of a stated variance in the estimator,"
    " I(X;T) has a lower and an upper bound (Kolchinsky & Tracey 2017 [4]).",
    "tanh with the KDE",
    "saxe-tanh",
    est="kde",
)
claim(
    "**Judge the estimators.** Three neurons are enough: X ~ N(0, 1) through tanh, and the choice"
    " of bins makes I(X;T) rise, stay or fall, though nothing is lost. Beside it every estimator"
    " on cases whose information is known.",
    "Estimators on trial",
    "original-code",
    TRIALS,
    ttab="neurons",
)
claim(
    "**Leave no choice.** In a network whose activations are rounded to 8 bits while it trains,"
    " information is counted exactly (Lorenzen et al. 2022 [5]). Press Run there; it takes some"
    " minutes.",
    "Quantised tanh",
    "lorenzen-tanh",
)
claim(
    "**Compression is clustering.** Where the estimate falls, activations gather in few places,"
    " though the map from X to T may still be injective (Goldfeld et al. 2019 [3]). On real"
    " data: press Run there, it takes about half a minute.",
    "Digits with tanh",
    "digits-tanh",
)
claim(
    "**Convolutions.** Taken as one vector the channels of a convolutional layer know every image,"
    " before training and after it; channel by channel they move (a dissertation of 2019 on MNIST)."
    " Both planes, with the bounds of the KDE, and what every layer answers to an image. MNIST is"
    " downloaded when you ask for it; without it, small images: press Run there, it takes about a"
    " minute.",
    "Convolutions on digits",
    "digits-relu",
    LAYERS,
    layers="conv8k3-conv16k3-pool2-32",
    epochs="100",
    reps="2",
    var="0.0735",
)
st.subheader("What a curve here can show, and what it cannot")
st.markdown(
    "- It can show how T is spread at the resolution of the estimator, epoch by epoch, with the"
    " spread over replicates.\n"
    "- It cannot show more than log2 N bits from N samples; points near that line are marked"
    " *saturated* and say nothing of the network.\n"
    "- It cannot show the true I(X;T) of a deterministic network, and the data processing"
    " inequality need not hold between estimates of different layers."
)
st.caption(
    "[1] R. Shwartz-Ziv, N. Tishby: Opening the black box of deep neural networks via information,"
    " arXiv:1703.00810. [2] A. M. Saxe et al.: On the information bottleneck theory of deep"
    " learning, ICLR 2018. [3] Z. Goldfeld et al.: Estimating information flow in deep neural"
    " networks, ICML 2019, arXiv:1810.05728. [4] A. Kolchinsky, B. D. Tracey: Estimating mixture"
    " entropy with pairwise distances, Entropy 19(7), 2017. [5] S. S. Lorenzen et al.: Information"
    " bottleneck: exact analysis of (quantized) neural networks, ICLR 2022."
)
