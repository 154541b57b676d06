"""What a model's configuration may name: the parts of Keras that compute scores from a picture, and nothing else.

Lists of what is allowed, so that a layer which a new version of Keras adds is refused until somebody has looked at
it. Left out on purpose: what holds or calls code (Lambda, TFSMLayer, TorchModuleWrapper, JaxLayer, FlaxLayer,
ClassMethod, InstanceMethod, InstanceProperty), what reads files or texts (StringLookup, TextVectorization and their
kind), and operations that take a function (Map, Scan, WhileLoop, Cond, VectorizedMap).
"""

from __future__ import annotations

import re

from edge_fer_convert.known_operations import words

LAYERS = words(
    # Plain layers.
    "InputLayer Dense EinsumDense Embedding Activation ActivityRegularization Identity Masking Reshape Flatten Permute "
    "RepeatVector LocallyConnected1D LocallyConnected2D "
    # Convolutions.
    "Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1D Convolution2D Convolution3D "
    "Convolution1DTranspose Convolution2DTranspose Convolution3DTranspose Deconvolution2D DepthwiseConv1D "
    "DepthwiseConv2D SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D "
    # Pooling, padding, cutting, enlarging.
    "AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D MaxPooling1D MaxPooling2D "
    "MaxPooling3D MaxPool1D MaxPool2D MaxPool3D GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
    "GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
    "GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D "
    "AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D ZeroPadding1D "
    "ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D UpSampling1D UpSampling2D UpSampling3D "
    # Norms and what does nothing at inference.
    "BatchNormalization BatchNormalizationV1 BatchNormalizationV2 SyncBatchNormalization LayerNormalization "
    "GroupNormalization RMSNormalization UnitNormalization SpectralNormalization Normalization Dropout "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D GaussianNoise GaussianDropout AlphaDropout "
    # Activations, merging, attention.
    "ReLU LeakyReLU PReLU ELU ThresholdedReLU Softmax Add Subtract Multiply Average Maximum Minimum Concatenate Dot "
    "Attention AdditiveAttention MultiHeadAttention GroupQueryAttention GroupedQueryAttention "
    # Recurrent ones and wrappers; what they wrap is looked at like any layer.
    "LSTM GRU SimpleRNN LSTMCell GRUCell SimpleRNNCell RNN StackedRNNCells ConvLSTM1D ConvLSTM2D ConvLSTM3D "
    "ConvLSTM2DCell CuDNNLSTM CuDNNGRU TimeDistributed Bidirectional "
    # Pictures.
    "Rescaling Resizing CenterCrop AugMix AutoContrast ContrastLimitedAdaptiveHistogramEqualization CutMix "
    "Equalization MixUp Pipeline RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter RandomContrast "
    "RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale RandomHeight "
    "RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness "
    "RandomShear RandomTranslation RandomWidth RandomZoom Solarization"
)
APPLICATION_LAYERS = {
    "LayerScale": "convnext",
    "StochasticDepth": "convnext",
    "CustomScaleLayer": "inception_resnet_v2",
}
"""Layers of networks in Keras's own collection that are not among `keras.layers`, by their module there."""
MODELS = frozenset({"Sequential", "Functional", "Model"})

_INITIALISER_CLASSES = (
    "Constant GlorotNormal GlorotUniform HeNormal HeUniform Identity IdentityInitializer LecunNormal LecunUniform Ones "
    "Orthogonal OrthogonalInitializer RandomNormal RandomUniform TruncatedNormal VarianceScaling Zeros"
)
INITIALISERS = words(_INITIALISER_CLASSES)
INITIALISER_NAMES = INITIALISERS | words(
    "constant glorot_normal glorot_uniform he_normal he_uniform identity lecun_normal lecun_uniform normal one ones "
    "orthogonal random_normal random_uniform truncated_normal uniform variance_scaling zero zeros"
)
REGULARISERS = frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"})
REGULARISER_NAMES = REGULARISERS | {"l1", "l2", "l1_l2", "l1l2", "orthogonal_regularizer"}
CONSTRAINTS = frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "RadialConstraint"})
CONSTRAINT_NAMES = CONSTRAINTS | {"max_norm", "min_max_norm", "non_neg", "unit_norm", "maxnorm", "nonneg", "unitnorm"}
ACTIVATIONS = words(
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
    "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold"
)
_NUMBER_TYPES = words("bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 half")
NUMBER_TYPES = _NUMBER_TYPES | {f"mixed_{name}" for name in ("float16", "bfloat16")} | {"_infer", "float", "int"}
"""Types of numbers, and the policies of layers that are named like them."""
POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "DTypePolicyMap", "Policy", "PolicyV1"})
"""Classes of policies; in versions 2.1 to 2.3 `Policy` was called `PolicyV1`."""

KERAS_OPERATIONS = {
    "numpy": words(
        "Abs Absolute Add Amax Amin Append Arccos Arcsin Arctan Arctan2 Argmax Argmin Average BroadcastTo Ceil Clip "
        "Concatenate Cos Cosh Cumsum Divide DivideNoNan Dot Einsum Equal Exp Exp2 ExpandDims Expm1 Flip Floor "
        "FloorDivide FullLike GetItem Greater GreaterEqual Hstack Isfinite Isnan Less LessEqual Log Log10 Log1p Log2 "
        "LogicalAnd LogicalNot LogicalOr Matmul Max Maximum Mean Median Min Minimum Mod Moveaxis Multiply NanToNum "
        "Negative NotEqual OnesLike Pad Power Prod Ravel Reciprocal Repeat Reshape Roll Round Sign Sin Sinh Sort "
        "Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take TakeAlongAxis Tan Tanh Tensordot Tile "
        "Transpose Tril Triu TrueDivide Var Vstack Where ZerosLike"
    ),
    "nn": words(
        "AdaptiveAveragePool AdaptiveMaxPool AveragePool BatchNorm Celu Conv ConvTranspose DepthToSpace DepthwiseConv "
        "DotProductAttention Elu Gelu Glu HardShrink HardSigmoid HardSilu HardTanh LayerNorm LeakyRelu LogSigmoid "
        "LogSoftmax MaxPool Moments Normalize OneHot RMSNorm Relu Relu6 Selu SeparableConv Sigmoid Silu SoftShrink "
        "Softmax Softplus Softsign SpaceToDepth Sparsemax Squareplus TanhShrink Threshold"
    ),
    "core": words("Cast ConvertToTensor SaturateCast Scatter ScatterUpdate Slice SliceUpdate StopGradient Unstack"),
    "math": words("Erf Erfc Logsumexp Rsqrt TopK"),
    "image": words(
        "AffineTransform CropImages ExtractPatches GaussianBlur HSVToRGB PadImages RGBToGrayscale RGBToHSV Resize"
    ),
    "linalg": frozenset({"Norm"}),
    "einops": frozenset({"Rearrange"}),
}
"""Operations of Keras 3 that are nodes of a model, by their module in `keras.src.ops`."""

_PLAIN_FUNCTIONS = words(
    "abs add argmax argmin broadcast_to cast clip_by_value concat convert_to_tensor cos cumsum divide einsum equal exp "
    "expand_dims fill floor gather gather_nd greater greater_equal identity less less_equal logical_and logical_not "
    "logical_or matmul maximum minimum multiply negative norm not_equal one_hot ones ones_like pad pow range rank "
    "reduce_max reduce_mean reduce_min reduce_prod reduce_sum repeat reshape reverse roll round saturate_cast shape "
    "sigmoid sign sin size slice split sqrt square squeeze stack stop_gradient strided_slice subtract tanh tensordot "
    "tile transpose truediv unstack where zeros zeros_like"
)
TF_FUNCTIONS = frozenset(
    # Operators of tensors.
    [f"__operators__.{name}" for name in words("add getitem ne eq")]
    + [
        f"math.{name}"
        for name in words(
            "abs add add_n argmax argmin ceil cos cumsum divide divide_no_nan equal erf exp expm1 floor floordiv "
            "floormod greater greater_equal is_finite is_nan l2_normalize less less_equal log log1p log_sigmoid "
            "logical_and logical_not logical_or maximum minimum mod multiply multiply_no_nan negative not_equal pow "
            "reciprocal reduce_any reduce_all reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min "
            "reduce_prod reduce_std reduce_sum reduce_variance round rsqrt scalar_mul sigmoid sign sin softmax "
            "softplus softsign sqrt square squared_difference subtract tan tanh top_k truediv xdivy"
        )
    ]
    + [
        f"nn.{name}"
        for name in words(
            "avg_pool avg_pool2d batch_normalization bias_add conv2d conv2d_transpose convolution crelu "
            "depth_to_space depthwise_conv2d elu gelu l2_normalize leaky_relu local_response_normalization log_softmax "
            "lrn max_pool max_pool2d moments pool relu relu6 selu separable_conv2d sigmoid silu softmax softplus "
            "softsign space_to_depth swish tanh top_k"
        )
    ]
    + [
        f"image.{name}"
        for name in words(
            "adjust_brightness adjust_contrast central_crop convert_image_dtype crop_and_resize crop_to_bounding_box "
            "extract_patches flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb pad_to_bounding_box "
            "per_image_standardization resize resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rot90"
        )
    ]
    + [f"linalg.{name}" for name in words("einsum l2_normalize matmul matvec norm normalize tensor_diag_part")]
    + sorted(_PLAIN_FUNCTIONS)
    + [
        f"compat.v1.{name}"
        for name in words(
            "transpose shape reshape squeeze expand_dims concat size rank where gather argmax pad reduce_mean "
            "reduce_sum reduce_max reduce_min nn.softmax nn.avg_pool nn.max_pool image.resize image.resize_bilinear "
            "image.resize_nearest_neighbor math.softmax math.log_softmax space_to_depth depth_to_space"
        )
    ]
    + [f"keras.activations.{name}" for name in sorted(ACTIVATIONS)]
    + [
        f"keras.backend.{name}"
        for name in words(
            "abs argmax argmin batch_dot batch_flatten bias_add cast clip concatenate conv2d cos depthwise_conv2d dot "
            "elu exp expand_dims flatten hard_sigmoid l2_normalize log max maximum mean min minimum one_hot ones_like "
            "permute_dimensions pool2d pow prod relu repeat_elements reshape resize_images reverse round shape sigmoid "
            "sign sin softmax softplus softsign spatial_2d_padding sqrt square squeeze stack std sum tanh tile "
            "transpose var zeros_like"
        )
    ]
)
"""Functions that a TFOpLambda layer of Keras 2 may call: each computes its result from tensors and numbers alone."""

FUNCTION_LAYERS = frozenset({"TFOpLambda", "SlicingOpLambda"})
GRAPH_LAYERS = frozenset({"TensorFlowOpLayer"})

ARGUMENT_WORDS = words(
    "SAME VALID EXPLICIT same valid full causal NHWC NCHW NWC NCW NDHWC channels_last channels_first bilinear nearest "
    "bicubic area lanczos3 lanczos5 gaussian mitchellcubic reflect symmetric constant edge wrap crop CONSTANT REFLECT "
    "SYMMETRIC euclidean fro left right linear lower higher midpoint none half_pixel"
)
"""Texts that an argument of a call may be, beside types of numbers: how to pad, to resize, to order axes."""

OF_KERAS = re.compile(r"(tf_)?keras(\.[a-z0-9_]+)*|tensorflow\.(python\.)?keras(\.[a-z0-9_]+)*")
"""Modules of Keras, whichever version wrote them."""
