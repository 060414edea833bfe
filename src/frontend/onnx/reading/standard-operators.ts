/**
 * Every version of every operator of ai.onnx, as onnx 1.23.2 defines them (fixtures/scripts/onnx-operators.py): name, the opset
 * that brought this version, how many inputs it takes (* for any number), and its attributes with their kinds, ! for required.
 */
export const standardOperators = `
Abs 1 1-1 consumed_inputs:ints
Abs 6 1-1
Abs 13 1-1
Acos 7 1-1
Acos 22 1-1
Acosh 9 1-1
Acosh 22 1-1
Add 1 2-2 axis:int broadcast:int consumed_inputs:ints
Add 6 2-2 axis:int broadcast:int
Add 7 2-2
Add 13 2-2
Add 14 2-2
AffineGrid 20 2-2 align_corners:int
And 1 2-2 axis:int broadcast:int
And 7 2-2
ArgMax 1 1-1 axis:int keepdims:int
ArgMax 11 1-1 axis:int keepdims:int
ArgMax 12 1-1 axis:int keepdims:int select_last_index:int
ArgMax 13 1-1 axis:int keepdims:int select_last_index:int
ArgMin 1 1-1 axis:int keepdims:int
ArgMin 11 1-1 axis:int keepdims:int
ArgMin 12 1-1 axis:int keepdims:int select_last_index:int
ArgMin 13 1-1 axis:int keepdims:int select_last_index:int
Asin 7 1-1
Asin 22 1-1
Asinh 9 1-1
Asinh 22 1-1
Atan 7 1-1
Atan 22 1-1
Atanh 9 1-1
Atanh 22 1-1
Attention 23 3-6 is_causal:int kv_num_heads:int q_num_heads:int qk_matmul_output_mode:int scale:float softcap:float softmax_precision:int
Attention 24 3-7 is_causal:int kv_num_heads:int q_num_heads:int qk_matmul_output_mode:int scale:float softcap:float softmax_precision:int
Attention 25 3-7 is_causal:int kv_num_heads:int left_window_size:int q_num_heads:int qk_matmul_output_mode:int right_window_size:int scale:float softcap:float softmax_precision:int
AveragePool 1 1-1 auto_pad:text kernel_shape:ints! pads:ints strides:ints
AveragePool 7 1-1 auto_pad:text count_include_pad:int kernel_shape:ints! pads:ints strides:ints
AveragePool 10 1-1 auto_pad:text ceil_mode:int count_include_pad:int kernel_shape:ints! pads:ints strides:ints
AveragePool 11 1-1 auto_pad:text ceil_mode:int count_include_pad:int kernel_shape:ints! pads:ints strides:ints
AveragePool 19 1-1 auto_pad:text ceil_mode:int count_include_pad:int dilations:ints kernel_shape:ints! pads:ints strides:ints
AveragePool 22 1-1 auto_pad:text ceil_mode:int count_include_pad:int dilations:ints kernel_shape:ints! pads:ints strides:ints
BatchNormalization 1 5-5 consumed_inputs:ints! epsilon:float is_test:int momentum:float spatial:int
BatchNormalization 6 5-5 epsilon:float is_test:int momentum:float spatial:int
BatchNormalization 7 5-5 epsilon:float momentum:float spatial:int
BatchNormalization 9 5-5 epsilon:float momentum:float
BatchNormalization 14 5-5 epsilon:float momentum:float training_mode:int
BatchNormalization 15 5-5 epsilon:float momentum:float training_mode:int
Bernoulli 15 1-1 dtype:int seed:float
Bernoulli 22 1-1 dtype:int seed:float
BitCast 26 1-1 to:int!
BitShift 11 2-2 direction:text!
BitShift 28 2-2 direction:text!
BitwiseAnd 18 2-2
BitwiseNot 18 1-1
BitwiseOr 18 2-2
BitwiseXor 18 2-2
BlackmanWindow 17 1-1 output_datatype:int periodic:int
Cast 1 1-1 to:text!
Cast 6 1-1 to:int!
Cast 9 1-1 to:int!
Cast 13 1-1 to:int!
Cast 19 1-1 saturate:int to:int!
Cast 21 1-1 saturate:int to:int!
Cast 23 1-1 saturate:int to:int!
Cast 24 1-1 round_mode:text saturate:int to:int!
Cast 25 1-1 round_mode:text saturate:int to:int!
Cast 28 1-1 round_mode:text saturate:int to:int!
CastLike 15 2-2
CastLike 19 2-2 saturate:int
CastLike 21 2-2 saturate:int
CastLike 23 2-2 saturate:int
CastLike 24 2-2 round_mode:text saturate:int
CastLike 25 2-2 round_mode:text saturate:int
CausalConvWithState 27 2-4 activation:text
Ceil 1 1-1 consumed_inputs:ints
Ceil 6 1-1
Ceil 13 1-1
Celu 12 1-1 alpha:float
Celu 28 1-1 alpha:float
CenterCropPad 18 2-2 axes:ints
Clip 1 1-1 consumed_inputs:ints max:float min:float
Clip 6 1-1 max:float min:float
Clip 11 1-3
Clip 12 1-3
Clip 13 1-3
Col2Im 18 3-3 dilations:ints pads:ints strides:ints
Compress 9 2-2 axis:int
Compress 11 2-2 axis:int
Compress 28 2-2 axis:int
Concat 1 1-* axis:int
Concat 4 1-* axis:int!
Concat 11 1-* axis:int!
Concat 13 1-* axis:int!
ConcatFromSequence 11 1-1 axis:int! new_axis:int
Constant 1 0-0 value:tensor!
Constant 9 0-0 value:tensor!
Constant 11 0-0 sparse_value:other value:tensor
Constant 12 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 13 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 19 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 21 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 23 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 24 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
Constant 25 0-0 sparse_value:other value:tensor value_float:float value_floats:floats value_int:int value_ints:ints value_string:text value_strings:texts
ConstantOfShape 9 1-1 value:tensor
ConstantOfShape 20 1-1 value:tensor
ConstantOfShape 21 1-1 value:tensor
ConstantOfShape 23 1-1 value:tensor
ConstantOfShape 24 1-1 value:tensor
ConstantOfShape 25 1-1 value:tensor
Conv 1 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints pads:ints strides:ints
Conv 11 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints pads:ints strides:ints
Conv 22 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints pads:ints strides:ints
ConvInteger 10 2-4 auto_pad:text dilations:ints group:int kernel_shape:ints pads:ints strides:ints
ConvTranspose 1 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints
ConvTranspose 11 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints
ConvTranspose 22 2-3 auto_pad:text dilations:ints group:int kernel_shape:ints output_padding:ints output_shape:ints pads:ints strides:ints
Cos 7 1-1
Cos 22 1-1
Cosh 9 1-1
Cosh 22 1-1
CumProd 26 2-2 exclusive:int reverse:int
CumSum 11 2-2 exclusive:int reverse:int
CumSum 14 2-2 exclusive:int reverse:int
DFT 17 1-2 axis:int inverse:int onesided:int
DFT 20 1-3 inverse:int onesided:int
DeformConv 19 3-5 dilations:ints group:int kernel_shape:ints offset_group:int pads:ints strides:ints
DeformConv 22 3-5 dilations:ints group:int kernel_shape:ints offset_group:int pads:ints strides:ints
DepthToSpace 1 1-1 blocksize:int!
DepthToSpace 11 1-1 blocksize:int! mode:text
DepthToSpace 13 1-1 blocksize:int! mode:text
DepthToSpace 28 1-1 blocksize:int! mode:text
DequantizeLinear 10 2-3
DequantizeLinear 13 2-3 axis:int
DequantizeLinear 19 2-3 axis:int
DequantizeLinear 21 2-3 axis:int block_size:int
DequantizeLinear 23 2-3 axis:int block_size:int output_dtype:int
DequantizeLinear 24 2-3 axis:int block_size:int output_dtype:int
DequantizeLinear 25 2-3 axis:int block_size:int output_dtype:int
DequantizeLinear 28 2-3 axis:int block_size:int output_dtype:int
Det 11 1-1
Det 22 1-1
Div 1 2-2 axis:int broadcast:int consumed_inputs:ints
Div 6 2-2 axis:int broadcast:int
Div 7 2-2
Div 13 2-2
Div 14 2-2
Dropout 1 1-1 consumed_inputs:ints is_test:int ratio:float
Dropout 6 1-1 is_test:int ratio:float
Dropout 7 1-1 ratio:float
Dropout 10 1-1 ratio:float
Dropout 12 1-3 seed:int
Dropout 13 1-3 seed:int
Dropout 22 1-3 seed:int
DynamicQuantizeLinear 11 1-1
Einsum 12 1-* equation:text!
Einsum 28 1-* equation:text!
Elu 1 1-1 alpha:float consumed_inputs:ints
Elu 6 1-1 alpha:float
Elu 22 1-1 alpha:float
Equal 1 2-2 axis:int broadcast:int
Equal 7 2-2
Equal 11 2-2
Equal 13 2-2
Equal 19 2-2
Erf 9 1-1
Erf 13 1-1
Exp 1 1-1 consumed_inputs:ints
Exp 6 1-1
Exp 13 1-1
Expand 8 2-2
Expand 13 2-2
EyeLike 9 1-1 dtype:int k:int
EyeLike 22 1-1 dtype:int k:int
Flatten 1 1-1 axis:int
Flatten 9 1-1 axis:int
Flatten 11 1-1 axis:int
Flatten 13 1-1 axis:int
Flatten 21 1-1 axis:int
Flatten 23 1-1 axis:int
Flatten 24 1-1 axis:int
Flatten 25 1-1 axis:int
Floor 1 1-1 consumed_inputs:ints
Floor 6 1-1
Floor 13 1-1
GRU 1 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int output_sequence:int
GRU 3 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int linear_before_reset:int output_sequence:int
GRU 7 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int linear_before_reset:int
GRU 14 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int layout:int linear_before_reset:int
GRU 22 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int layout:int linear_before_reset:int
Gather 1 2-2 axis:int
Gather 11 2-2 axis:int
Gather 13 2-2 axis:int
GatherElements 11 2-2 axis:int
GatherElements 13 2-2 axis:int
GatherND 11 2-2
GatherND 12 2-2 batch_dims:int
GatherND 13 2-2 batch_dims:int
Gelu 20 1-1 approximate:text
Gemm 1 3-3 alpha:float beta:float broadcast:int transA:int transB:int
Gemm 6 3-3 alpha:float beta:float broadcast:int transA:int transB:int
Gemm 7 3-3 alpha:float beta:float transA:int transB:int
Gemm 9 3-3 alpha:float beta:float transA:int transB:int
Gemm 11 2-3 alpha:float beta:float transA:int transB:int
Gemm 13 2-3 alpha:float beta:float transA:int transB:int
GlobalAveragePool 1 1-1
GlobalAveragePool 22 1-1
GlobalLpPool 1 1-1 p:float
GlobalLpPool 2 1-1 p:int
GlobalLpPool 22 1-1 p:int
GlobalMaxPool 1 1-1
GlobalMaxPool 22 1-1
Greater 1 2-2 axis:int broadcast:int
Greater 7 2-2
Greater 9 2-2
Greater 13 2-2
GreaterOrEqual 12 2-2
GreaterOrEqual 16 2-2
GridSample 16 2-2 align_corners:int mode:text padding_mode:text
GridSample 20 2-2 align_corners:int mode:text padding_mode:text
GridSample 22 2-2 align_corners:int mode:text padding_mode:text
GroupNormalization 18 3-3 epsilon:float num_groups:int!
GroupNormalization 21 3-3 epsilon:float num_groups:int! stash_type:int
HammingWindow 17 1-1 output_datatype:int periodic:int
HannWindow 17 1-1 output_datatype:int periodic:int
HardSigmoid 1 1-1 alpha:float beta:float consumed_inputs:ints
HardSigmoid 6 1-1 alpha:float beta:float
HardSigmoid 22 1-1 alpha:float beta:float
HardSwish 14 1-1
HardSwish 22 1-1
Hardmax 1 1-1 axis:int
Hardmax 11 1-1 axis:int
Hardmax 13 1-1 axis:int
Identity 1 1-1
Identity 13 1-1
Identity 14 1-1
Identity 16 1-1
Identity 19 1-1
Identity 21 1-1
Identity 23 1-1
Identity 24 1-1
Identity 25 1-1
If 1 1-1 else_branch:graph! then_branch:graph!
If 11 1-1 else_branch:graph! then_branch:graph!
If 13 1-1 else_branch:graph! then_branch:graph!
If 16 1-1 else_branch:graph! then_branch:graph!
If 19 1-1 else_branch:graph! then_branch:graph!
If 21 1-1 else_branch:graph! then_branch:graph!
If 23 1-1 else_branch:graph! then_branch:graph!
If 24 1-1 else_branch:graph! then_branch:graph!
If 25 1-1 else_branch:graph! then_branch:graph!
ImageDecoder 20 1-1 pixel_format:text
InstanceNormalization 1 3-3 consumed_inputs:ints epsilon:float
InstanceNormalization 6 3-3 epsilon:float
InstanceNormalization 22 3-3 epsilon:float
IsInf 10 1-1 detect_negative:int detect_positive:int
IsInf 20 1-1 detect_negative:int detect_positive:int
IsNaN 9 1-1
IsNaN 13 1-1
IsNaN 20 1-1
LRN 1 1-1 alpha:float beta:float bias:float size:int!
LRN 13 1-1 alpha:float beta:float bias:float size:int!
LSTM 1 3-8 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int input_forget:int output_sequence:int
LSTM 7 3-8 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int input_forget:int
LSTM 14 3-8 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int input_forget:int layout:int
LSTM 22 3-8 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int input_forget:int layout:int
LayerNormalization 17 2-3 axis:int epsilon:float stash_type:int
LeakyRelu 1 1-1 alpha:float consumed_inputs:ints
LeakyRelu 6 1-1 alpha:float
LeakyRelu 16 1-1 alpha:float
Less 1 2-2 axis:int broadcast:int
Less 7 2-2
Less 9 2-2
Less 13 2-2
LessOrEqual 12 2-2
LessOrEqual 16 2-2
LinearAttention 27 3-6 chunk_size:int kv_num_heads:int! q_num_heads:int! scale:float update_rule:text
Log 1 1-1 consumed_inputs:ints
Log 6 1-1
Log 13 1-1
LogSoftmax 1 1-1 axis:int
LogSoftmax 11 1-1 axis:int
LogSoftmax 13 1-1 axis:int
Loop 1 3-* body:graph!
Loop 11 2-* body:graph!
Loop 13 2-* body:graph!
Loop 16 2-* body:graph!
Loop 19 2-* body:graph!
Loop 21 2-* body:graph!
Loop 23 2-* body:graph!
Loop 24 2-* body:graph!
Loop 25 2-* body:graph!
LpNormalization 1 1-1 axis:int p:int
LpNormalization 22 1-1 axis:int p:int
LpPool 1 1-1 auto_pad:text kernel_shape:ints p:float pads:ints strides:ints
LpPool 2 1-1 auto_pad:text kernel_shape:ints! p:int pads:ints strides:ints
LpPool 11 1-1 auto_pad:text kernel_shape:ints! p:int pads:ints strides:ints
LpPool 18 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! p:int pads:ints strides:ints
LpPool 22 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! p:int pads:ints strides:ints
MatMul 1 2-2
MatMul 9 2-2
MatMul 13 2-2
MatMulInteger 10 2-4
Max 1 1-* consumed_inputs:ints
Max 6 1-*
Max 8 1-*
Max 12 1-*
Max 13 1-*
MaxPool 1 1-1 auto_pad:text kernel_shape:ints! pads:ints strides:ints
MaxPool 8 1-1 auto_pad:text kernel_shape:ints! pads:ints storage_order:int strides:ints
MaxPool 10 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! pads:ints storage_order:int strides:ints
MaxPool 11 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! pads:ints storage_order:int strides:ints
MaxPool 12 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! pads:ints storage_order:int strides:ints
MaxPool 22 1-1 auto_pad:text ceil_mode:int dilations:ints kernel_shape:ints! pads:ints storage_order:int strides:ints
MaxRoiPool 1 2-2 pooled_shape:ints! spatial_scale:float
MaxRoiPool 22 2-2 pooled_shape:ints! spatial_scale:float
MaxUnpool 9 2-3 kernel_shape:ints! pads:ints strides:ints
MaxUnpool 11 2-3 kernel_shape:ints! pads:ints strides:ints
MaxUnpool 22 2-3 kernel_shape:ints! pads:ints strides:ints
Mean 1 1-* consumed_inputs:ints
Mean 6 1-*
Mean 8 1-*
Mean 13 1-*
MeanVarianceNormalization 9 1-1 axes:ints
MeanVarianceNormalization 13 1-1 axes:ints
MelWeightMatrix 17 5-5 output_datatype:int
Min 1 1-* consumed_inputs:ints
Min 6 1-*
Min 8 1-*
Min 12 1-*
Min 13 1-*
Mish 18 1-1
Mish 22 1-1
Mod 10 2-2 fmod:int
Mod 13 2-2 fmod:int
Mod 28 2-2 fmod:int
Mul 1 2-2 axis:int broadcast:int consumed_inputs:ints
Mul 6 2-2 axis:int broadcast:int
Mul 7 2-2
Mul 13 2-2
Mul 14 2-2
Multinomial 7 1-1 dtype:int sample_size:int seed:float
Multinomial 22 1-1 dtype:int sample_size:int seed:float
Neg 1 1-1 consumed_inputs:ints
Neg 6 1-1
Neg 13 1-1
NegativeLogLikelihoodLoss 12 2-3 ignore_index:int reduction:text
NegativeLogLikelihoodLoss 13 2-3 ignore_index:int reduction:text
NegativeLogLikelihoodLoss 22 2-3 ignore_index:int reduction:text
NonMaxSuppression 10 2-5 center_point_box:int
NonMaxSuppression 11 2-5 center_point_box:int
NonZero 9 1-1
NonZero 13 1-1
Not 1 1-1
OneHot 9 3-3 axis:int
OneHot 11 3-3 axis:int
OneHot 28 3-3 axis:int
Optional 15 0-1 type:type
Optional 28 0-1 type:type
OptionalGetElement 15 1-1
OptionalGetElement 18 1-1
OptionalGetElement 28 1-1
OptionalHasElement 15 1-1
OptionalHasElement 18 0-1
OptionalHasElement 28 0-1
Or 1 2-2 axis:int broadcast:int
Or 7 2-2
PRelu 1 2-2 consumed_inputs:ints
PRelu 6 2-2
PRelu 7 2-2
PRelu 9 2-2
PRelu 16 2-2
Pad 1 1-1 mode:text paddings:ints! value:float
Pad 2 1-1 mode:text pads:ints! value:float
Pad 11 2-3 mode:text
Pad 13 2-3 mode:text
Pad 18 2-4 mode:text
Pad 19 2-4 mode:text
Pad 21 2-4 mode:text
Pad 23 2-4 mode:text
Pad 24 2-4 mode:text
Pad 25 2-4 mode:text
Pow 1 2-2 axis:int broadcast:int
Pow 7 2-2
Pow 12 2-2
Pow 13 2-2
Pow 15 2-2
QLinearConv 10 8-9 auto_pad:text dilations:ints group:int kernel_shape:ints pads:ints strides:ints
QLinearMatMul 10 8-8
QLinearMatMul 21 8-8
QuantizeLinear 10 2-3
QuantizeLinear 13 2-3 axis:int
QuantizeLinear 19 2-3 axis:int saturate:int
QuantizeLinear 21 2-3 axis:int block_size:int output_dtype:int saturate:int
QuantizeLinear 23 2-3 axis:int block_size:int output_dtype:int precision:int saturate:int
QuantizeLinear 24 2-3 axis:int block_size:int output_dtype:int precision:int saturate:int
QuantizeLinear 25 2-3 axis:int block_size:int output_dtype:int precision:int saturate:int
QuantizeLinear 28 2-3 axis:int block_size:int output_dtype:int precision:int saturate:int
RMSNormalization 23 2-2 axis:int epsilon:float stash_type:int
RNN 1 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int output_sequence:int
RNN 7 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int
RNN 14 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int layout:int
RNN 22 3-6 activation_alpha:floats activation_beta:floats activations:texts clip:float direction:text hidden_size:int layout:int
RandomNormal 1 0-0 dtype:int mean:float scale:float seed:float shape:ints!
RandomNormal 22 0-0 dtype:int mean:float scale:float seed:float shape:ints!
RandomNormalLike 1 1-1 dtype:int mean:float scale:float seed:float
RandomNormalLike 22 1-1 dtype:int mean:float scale:float seed:float
RandomUniform 1 0-0 dtype:int high:float low:float seed:float shape:ints!
RandomUniform 22 0-0 dtype:int high:float low:float seed:float shape:ints!
RandomUniformLike 1 1-1 dtype:int high:float low:float seed:float
RandomUniformLike 22 1-1 dtype:int high:float low:float seed:float
Range 11 3-3
Range 27 3-3 stash_type:int
Reciprocal 1 1-1 consumed_inputs:ints
Reciprocal 6 1-1
Reciprocal 13 1-1
ReduceL1 1 1-1 axes:ints keepdims:int
ReduceL1 11 1-1 axes:ints keepdims:int
ReduceL1 13 1-1 axes:ints keepdims:int
ReduceL1 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceL2 1 1-1 axes:ints keepdims:int
ReduceL2 11 1-1 axes:ints keepdims:int
ReduceL2 13 1-1 axes:ints keepdims:int
ReduceL2 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceLogSum 1 1-1 axes:ints keepdims:int
ReduceLogSum 11 1-1 axes:ints keepdims:int
ReduceLogSum 13 1-1 axes:ints keepdims:int
ReduceLogSum 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceLogSum 28 1-2 keepdims:int noop_with_empty_axes:int
ReduceLogSumExp 1 1-1 axes:ints keepdims:int
ReduceLogSumExp 11 1-1 axes:ints keepdims:int
ReduceLogSumExp 13 1-1 axes:ints keepdims:int
ReduceLogSumExp 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceLogSumExp 28 1-2 keepdims:int noop_with_empty_axes:int
ReduceMax 1 1-1 axes:ints keepdims:int
ReduceMax 11 1-1 axes:ints keepdims:int
ReduceMax 12 1-1 axes:ints keepdims:int
ReduceMax 13 1-1 axes:ints keepdims:int
ReduceMax 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceMax 20 1-2 keepdims:int noop_with_empty_axes:int
ReduceMean 1 1-1 axes:ints keepdims:int
ReduceMean 11 1-1 axes:ints keepdims:int
ReduceMean 13 1-1 axes:ints keepdims:int
ReduceMean 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceMin 1 1-1 axes:ints keepdims:int
ReduceMin 11 1-1 axes:ints keepdims:int
ReduceMin 12 1-1 axes:ints keepdims:int
ReduceMin 13 1-1 axes:ints keepdims:int
ReduceMin 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceMin 20 1-2 keepdims:int noop_with_empty_axes:int
ReduceProd 1 1-1 axes:ints keepdims:int
ReduceProd 11 1-1 axes:ints keepdims:int
ReduceProd 13 1-1 axes:ints keepdims:int
ReduceProd 18 1-2 keepdims:int noop_with_empty_axes:int
ReduceSum 1 1-1 axes:ints keepdims:int
ReduceSum 11 1-1 axes:ints keepdims:int
ReduceSum 13 1-2 keepdims:int noop_with_empty_axes:int
ReduceSumSquare 1 1-1 axes:ints keepdims:int
ReduceSumSquare 11 1-1 axes:ints keepdims:int
ReduceSumSquare 13 1-1 axes:ints keepdims:int
ReduceSumSquare 18 1-2 keepdims:int noop_with_empty_axes:int
RegexFullMatch 20 1-1 pattern:text
Relu 1 1-1 consumed_inputs:ints
Relu 6 1-1
Relu 13 1-1
Relu 14 1-1
Reshape 1 1-1 consumed_inputs:ints shape:ints
Reshape 5 2-2
Reshape 13 2-2
Reshape 14 2-2 allowzero:int
Reshape 19 2-2 allowzero:int
Reshape 21 2-2 allowzero:int
Reshape 23 2-2 allowzero:int
Reshape 24 2-2 allowzero:int
Reshape 25 2-2 allowzero:int
Resize 10 2-2 mode:text
Resize 11 3-4 coordinate_transformation_mode:text cubic_coeff_a:float exclude_outside:int extrapolation_value:float mode:text nearest_mode:text
Resize 13 1-4 coordinate_transformation_mode:text cubic_coeff_a:float exclude_outside:int extrapolation_value:float mode:text nearest_mode:text
Resize 18 1-4 antialias:int axes:ints coordinate_transformation_mode:text cubic_coeff_a:float exclude_outside:int extrapolation_value:float keep_aspect_ratio_policy:text mode:text nearest_mode:text
Resize 19 1-4 antialias:int axes:ints coordinate_transformation_mode:text cubic_coeff_a:float exclude_outside:int extrapolation_value:float keep_aspect_ratio_policy:text mode:text nearest_mode:text
ReverseSequence 10 2-2 batch_axis:int time_axis:int
ReverseSequence 28 2-2 batch_axis:int time_axis:int
RoiAlign 10 3-3 mode:text output_height:int output_width:int sampling_ratio:int spatial_scale:float
RoiAlign 16 3-3 coordinate_transformation_mode:text mode:text output_height:int output_width:int sampling_ratio:int spatial_scale:float
RoiAlign 22 3-3 coordinate_transformation_mode:text mode:text output_height:int output_width:int sampling_ratio:int spatial_scale:float
RotaryEmbedding 23 3-4 interleaved:int num_heads:int rotary_embedding_dim:int
Round 11 1-1
Round 22 1-1
STFT 17 2-4 onesided:int
Scan 8 2-* body:graph! directions:ints num_scan_inputs:int!
Scan 9 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 11 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 16 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 19 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 21 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 23 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 24 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scan 25 1-* body:graph! num_scan_inputs:int! scan_input_axes:ints scan_input_directions:ints scan_output_axes:ints scan_output_directions:ints
Scatter 9 3-3 axis:int
Scatter 11 3-3 axis:int
ScatterElements 11 3-3 axis:int
ScatterElements 13 3-3 axis:int
ScatterElements 16 3-3 axis:int reduction:text
ScatterElements 18 3-3 axis:int reduction:text
ScatterND 11 3-3
ScatterND 13 3-3
ScatterND 16 3-3 reduction:text
ScatterND 18 3-3 reduction:text
Selu 1 1-1 alpha:float consumed_inputs:ints gamma:float
Selu 6 1-1 alpha:float gamma:float
Selu 22 1-1 alpha:float gamma:float
SequenceAt 11 2-2
SequenceConstruct 11 1-*
SequenceEmpty 11 0-0 dtype:int
SequenceErase 11 1-2
SequenceInsert 11 2-3
SequenceLength 11 1-1
SequenceMap 17 1-* body:graph!
Shape 1 1-1
Shape 13 1-1
Shape 15 1-1 end:int start:int
Shape 19 1-1 end:int start:int
Shape 21 1-1 end:int start:int
Shape 23 1-1 end:int start:int
Shape 24 1-1 end:int start:int
Shape 25 1-1 end:int start:int
Shrink 9 1-1 bias:float lambd:float
Sigmoid 1 1-1 consumed_inputs:ints
Sigmoid 6 1-1
Sigmoid 13 1-1
Sign 9 1-1
Sign 13 1-1
Sin 7 1-1
Sin 22 1-1
Sinh 9 1-1
Sinh 22 1-1
Size 1 1-1
Size 13 1-1
Size 19 1-1
Size 21 1-1
Size 23 1-1
Size 24 1-1
Size 25 1-1
Slice 1 1-1 axes:ints ends:ints! starts:ints!
Slice 10 3-5
Slice 11 3-5
Slice 13 3-5
Softmax 1 1-1 axis:int
Softmax 11 1-1 axis:int
Softmax 13 1-1 axis:int
SoftmaxCrossEntropyLoss 12 2-3 ignore_index:int reduction:text
SoftmaxCrossEntropyLoss 13 2-3 ignore_index:int reduction:text
Softplus 1 1-1
Softplus 22 1-1
Softsign 1 1-1
Softsign 22 1-1
SpaceToDepth 1 1-1 blocksize:int!
SpaceToDepth 13 1-1 blocksize:int!
SpaceToDepth 28 1-1 blocksize:int! mode:text
Split 1 1-2 axis:int split:ints
Split 2 1-1 axis:int split:ints
Split 11 1-1 axis:int split:ints
Split 13 1-2 axis:int
Split 18 1-2 axis:int num_outputs:int
SplitToSequence 11 1-2 axis:int keepdims:int
SplitToSequence 24 1-2 axis:int keepdims:int
Sqrt 1 1-1 consumed_inputs:ints
Sqrt 6 1-1
Sqrt 13 1-1
Squeeze 1 1-1 axes:ints
Squeeze 11 1-1 axes:ints
Squeeze 13 1-2
Squeeze 21 1-2
Squeeze 23 1-2
Squeeze 24 1-2
Squeeze 25 1-2
StringConcat 20 2-2
StringNormalizer 10 1-1 case_change_action:text is_case_sensitive:int locale:text stopwords:texts
StringSplit 20 1-1 delimiter:text maxsplit:int
Sub 1 2-2 axis:int broadcast:int consumed_inputs:ints
Sub 6 2-2 axis:int broadcast:int
Sub 7 2-2
Sub 13 2-2
Sub 14 2-2
Sum 1 1-* consumed_inputs:ints
Sum 6 1-*
Sum 8 1-*
Sum 13 1-*
SwiGLU 28 2-2 alpha:float
Swish 24 1-1 alpha:float
Tan 7 1-1
Tan 22 1-1
Tanh 1 1-1 consumed_inputs:ints
Tanh 6 1-1
Tanh 13 1-1
TensorScatter 24 2-3 axis:int mode:text
TfIdfVectorizer 9 1-1 max_gram_length:int! max_skip_count:int! min_gram_length:int! mode:text! ngram_counts:ints! ngram_indexes:ints! pool_int64s:ints pool_strings:texts weights:floats
ThresholdedRelu 10 1-1 alpha:float
ThresholdedRelu 22 1-1 alpha:float
Tile 1 3-3
Tile 6 2-2
Tile 13 2-2
TopK 1 1-1 axis:int k:int!
TopK 10 2-2 axis:int
TopK 11 2-2 axis:int largest:int sorted:int
TopK 24 2-2 axis:int largest:int sorted:int
Transpose 1 1-1 perm:ints
Transpose 13 1-1 perm:ints
Transpose 21 1-1 perm:ints
Transpose 23 1-1 perm:ints
Transpose 24 1-1 perm:ints
Transpose 25 1-1 perm:ints
Trilu 14 1-2 upper:int
Unique 11 1-1 axis:int sorted:int
Unique 28 1-1 axis:int sorted:int
Unsqueeze 1 1-1 axes:ints!
Unsqueeze 11 1-1 axes:ints!
Unsqueeze 13 2-2
Unsqueeze 21 2-2
Unsqueeze 23 2-2
Unsqueeze 24 2-2
Unsqueeze 25 2-2
Upsample 1 1-1 height_scale:float! mode:text width_scale:float!
Upsample 7 1-1 mode:text scales:floats!
Upsample 9 2-2 mode:text
Upsample 10 2-2 mode:text
Where 9 3-3
Where 16 3-3
Xor 1 2-2 axis:int broadcast:int
Xor 7 2-2
`;
