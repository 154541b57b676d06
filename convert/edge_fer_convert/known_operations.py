"""TensorFlow's operations that a graph for inference is made of.

Not on the lists, whatever they are called: what reads or writes files (ReadFile, ReadVariableOp aside which reads a
weight, SaveV2, MergeV2Checkpoints, ImmutableConst), calls Python, opens connections, prints, keeps tables, makes
datasets, decodes texts, or repeats (While): a graph of which nobody knows whether it ends.
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text, as a list is written here."""
    return frozenset(text.split())


PURE = words(
    # Numbers, one by one.
    "Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd BiasAddV1 Bitcast Cast Ceil ClipByValue Cos "
    "Cosh Div DivNoNan Elu Equal Erf Erfc Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Inv Invert IsFinite "
    "IsInf IsNan LeakyRelu Less LessEqual Log Log1p LogicalAnd LogicalNot LogicalOr Maximum Minimum Mod Mul MulNoNan "
    "Neg NotEqual Pow RealDiv Reciprocal Relu Relu6 Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Sinh "
    "Softplus Softsign Sqrt Square SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy "
    "ZerosLike OnesLike BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift "
    # Networks.
    "AvgPool AvgPool3D BatchMatMul BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization Conv2D Conv3D Conv "
    "Conv2DBackpropInput Conv3DBackpropInputV2 CrossReplicaSum DepthwiseConv2dNative Dilation2D Einsum "
    "FractionalAvgPool FractionalMaxPool FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 L2Loss LogSoftmax LRN MatMul "
    "MaxPool MaxPool3D MaxPoolV2 Softmax SpaceToBatch SpaceToBatchND BatchToSpace BatchToSpaceND DepthToSpace "
    "SpaceToDepth TopK TopKV2 InTopK InTopKV2 BlockLSTM BlockLSTMV2 GRUBlockCell LSTMBlockCell "
    # Their weights in few bits, as trained with quantisation in mind.
    "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel QuantizeV2 Dequantize "
    "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 "
    # Sums and their kind.
    "All Any ArgMax ArgMin Bincount Cumprod Cumsum EuclideanNorm Max Mean Median Min Prod Sum SegmentSum SegmentMean "
    "SegmentMax UnsortedSegmentSum UnsortedSegmentMax "
    # Shapes and places.
    "BroadcastArgs BroadcastTo Concat ConcatV2 ConcatOffset Const DynamicPartition DynamicStitch EnsureShape "
    "ExpandDims ExtractImagePatches Fill Gather GatherNd GatherV2 HostConst Identity IdentityN InvertPermutation "
    "LinSpace MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 "
    "MatrixSetDiag MirrorPad OneHot Pack Pad PadV2 Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll "
    "ScatterNd Shape ShapeN Size Slice Snapshot Split SplitV Squeeze StopGradient StridedSlice TensorScatterUpdate "
    "TensorScatterAdd Tile Transpose Unique UniqueV2 Unpack Where PreventGradient PlaceholderWithDefault "
    # Pictures.
    "AdjustContrastv2 AdjustHue AdjustSaturation CropAndResize HSVToRGB RGBToHSV ResizeArea ResizeBicubic "
    "ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate ImageProjectiveTransformV2 ImageProjectiveTransformV3 "
    # Random numbers: layers that do nothing at inference leave them in a graph.
    "RandomStandardNormal RandomUniform RandomUniformInt TruncatedNormal StatelessRandomNormal StatelessRandomNormalV2 "
    "StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomUniformInt StatelessRandomUniformIntV2 "
    "StatelessRandomUniformFullInt StatelessRandomUniformFullIntV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 "
    "StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomGetAlg RngReadAndSkip "
    "RngSkip StatefulUniform StatefulUniformInt StatefulStandardNormalV2 StatelessSampleDistortedBoundingBox"
)
"""Operations whose result depends on their inputs, attributes and random numbers alone."""

STRUCTURE = words(
    # Inputs, weights, calls of other functions of the graph, branches of which one is run.
    "Placeholder Arg _Arg Retval _Retval NoOp VarHandleOp ReadVariableOp VarIsInitializedOp Variable VariableV2 "
    "PartitionedCall StatefulPartitionedCall If StatelessIf Case StatelessCase Switch RefSwitch Merge RefMerge "
    # It compares and fails: grayscale_to_rgb of TensorFlow and checks of shapes leave it in a graph.
    "Assert "
    # A random layer keeps the state of its generator in a variable of whole numbers.
    "AssignVariableOp AssignAddVariableOp AssignSubVariableOp"
)
"""Operations that hold a graph together. Switch and Merge choose; without Enter and NextIteration nothing repeats."""

LOOPS = words(
    "While StatelessWhile TensorListReserve TensorListFromTensor TensorListGetItem TensorListSetItem TensorListStack "
    "TensorListGather TensorListScatter TensorListScatterIntoExistingList TensorListLength TensorListElementShape "
    "EmptyTensorList TensorListPushBack TensorListPopBack TensorListResize TensorArrayV3 TensorArrayReadV3 "
    "TensorArrayWriteV3 TensorArrayScatterV3 TensorArrayGatherV3 TensorArraySizeV3 LoopCond Enter Exit NextIteration "
    "LowerBound UpperBound"
)
"""What tf_keras makes of recurrent layers: taken in graphs that it wrote here from a checked configuration alone."""
