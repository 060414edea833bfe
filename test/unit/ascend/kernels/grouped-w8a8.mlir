// kernel: {"rows":{"kind":"grouped","matrices":256},"n":4096,"k":7168,"input":"i8","output":"bf16","weight":"nk","dequantize":true,"bias":false,"tile":{"m":128,"n":256,"k":512},"copies":{"l1":2,"l0c":1}}
module attributes {hacc.target = #hacc.target<"Ascend910B3">} {
  func.func @grouped256_4096x7168_i8_bf16_dequantize_t128x256x512_l1x2_l0cx1(
    %lock: memref<?xi8>,
    %workspace: memref<?xi8>,
    %x.given: memref<?xi8>,
    %w.given: memref<?xi8>,
    %out.given: memref<?xbf16>,
    %column.scales.given: memref<?xf32>,
    %row.scales.given: memref<?xf32>,
    %offsets: memref<?xi32>,
    %programs.x: i32,
    %programs.y: i32,
    %programs.z: i32,
    %program.x: i32,
    %program.y: i32,
    %program.z: i32
  ) attributes {SyncBlockLockArgIdx = 0 : i64, WorkspaceArgIdx = 1 : i64, global_kernel = "local", hacc.entry, hacc.function_kind = #hacc.function_kind<DEVICE>, mix_mode = "mix", parallel_mode = "simd"} {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %n = arith.constant 4096 : index
    %k = arith.constant 7168 : index
    %tile.m = arith.constant 128 : index
    %tile.n = arith.constant 256 : index
    %tile.k = arith.constant 512 : index
    %across = arith.constant 16 : index
    %matrices = arith.constant 256 : index
    %matrix.size = arith.constant 29360128 : index
    %core = arith.index_cast %program.x : i32 to index
    %cores = arith.index_cast %programs.x : i32 to index
    %offsets.view = memref.reinterpret_cast %offsets to offset: [0], sizes: [257], strides: [1] : memref<?xi32> to memref<257xi32, strided<[1]>>
    %last = scf.for %matrix = %zero to %matrices step %one iter_args(%first = %core) -> (index) {
      %matrix.next = arith.addi %matrix, %one : index
      %begin.read = memref.load %offsets.view[%matrix] : memref<257xi32, strided<[1]>>
      %end.read = memref.load %offsets.view[%matrix.next] : memref<257xi32, strided<[1]>>
      %begin = arith.index_cast %begin.read : i32 to index
      %end = arith.index_cast %end.read : i32 to index
      %rows.group = arith.subi %end, %begin : index
      %down = arith.ceildivui %rows.group, %tile.m : index
      %tiles = arith.muli %down, %across : index
      scf.for %t = %first to %tiles step %cores {
        %i = arith.divui %t, %across : index
        %j = arith.remui %t, %across : index
        %row.in = arith.muli %i, %tile.m : index
        %row = arith.addi %begin, %row.in : index
        %rows.left = arith.subi %end, %row : index
        %rows = arith.minsi %rows.left, %tile.m : index
        %column = arith.muli %j, %tile.n : index
        %matrix.begin = arith.muli %matrix, %matrix.size : index
        %none = tensor.empty() : tensor<128x256xi32>
        %nothing = arith.constant 0 : i32
        %cleared = linalg.fill ins(%nothing : i32) outs(%none : tensor<128x256xi32>) -> tensor<128x256xi32>
        %sums = scf.for %depth.at = %zero to %k step %tile.k iter_args(%sum = %cleared) -> (tensor<128x256xi32>) {
          %x.offset.stride = arith.constant 7168 : index
          %x.offset.0 = arith.muli %row, %x.offset.stride : index
          %x.offset = arith.addi %x.offset.0, %depth.at : index
          %x.view = memref.reinterpret_cast %x.given to offset: [%x.offset], sizes: [128, 512], strides: [7168, 1] : memref<?xi8> to memref<128x512xi8, strided<[7168, 1], offset: ?>>
          %x.tile = memref.alloc() : memref<128x512xi8>
          %x.there = memref.subview %x.view[0, 0] [%rows, 512] [1, 1] : memref<128x512xi8, strided<[7168, 1], offset: ?>> to memref<?x512xi8, strided<[7168, 1], offset: ?>>
          %x.here = memref.subview %x.tile[0, 0] [%rows, 512] [1, 1] : memref<128x512xi8> to memref<?x512xi8, strided<[512, 1]>>
          memref.copy %x.there, %x.here : memref<?x512xi8, strided<[7168, 1], offset: ?>> to memref<?x512xi8, strided<[512, 1]>>
          %x = bufferization.to_tensor %x.tile restrict writable : memref<128x512xi8>
          %w.offset.stride = arith.constant 7168 : index
          %w.offset.0 = arith.muli %column, %w.offset.stride : index
          %w.offset.1 = arith.addi %w.offset.0, %matrix.begin : index
          %w.offset = arith.addi %w.offset.1, %depth.at : index
          %w.view = memref.reinterpret_cast %w.given to offset: [%w.offset], sizes: [256, 512], strides: [7168, 1] : memref<?xi8> to memref<256x512xi8, strided<[7168, 1], offset: ?>>
          %w.tile = memref.alloc() : memref<256x512xi8>
          memref.copy %w.view, %w.tile : memref<256x512xi8, strided<[7168, 1], offset: ?>> to memref<256x512xi8>
          %w = bufferization.to_tensor %w.tile restrict writable : memref<256x512xi8>
          %w.empty = tensor.empty() : tensor<512x256xi8>
          %w.turned = linalg.transpose ins(%w : tensor<256x512xi8>) outs(%w.empty : tensor<512x256xi8>) permutation = [1, 0]
          %more = linalg.matmul ins(%x, %w.turned : tensor<128x512xi8>, tensor<512x256xi8>) outs(%sum : tensor<128x256xi32>) -> tensor<128x256xi32>
          scf.yield %more : tensor<128x256xi32>
        }
        %column.first = arith.muli %matrix, %n : index
        %column.scale = arith.addi %column.first, %column : index
        %column.scales.view = memref.reinterpret_cast %column.scales.given to offset: [%column.scale], sizes: [256], strides: [1] : memref<?xf32> to memref<256xf32, strided<[1], offset: ?>>
        %column.scales.tile = memref.alloc() : memref<256xf32>
        memref.copy %column.scales.view, %column.scales.tile : memref<256xf32, strided<[1], offset: ?>> to memref<256xf32>
        %column.scales = bufferization.to_tensor %column.scales.tile restrict writable : memref<256xf32>
        %column.scales.empty = tensor.empty() : tensor<128x256xf32>
        %column.scales.wide = linalg.broadcast ins(%column.scales : tensor<256xf32>) outs(%column.scales.empty : tensor<128x256xf32>) dimensions = [0]
        %row.scales.view = memref.reinterpret_cast %row.scales.given to offset: [%row], sizes: [128], strides: [1] : memref<?xf32> to memref<128xf32, strided<[1], offset: ?>>
        %row.scales.tile = memref.alloc() : memref<128xf32>
        %row.scales.there = memref.subview %row.scales.view[0] [%rows] [1] : memref<128xf32, strided<[1], offset: ?>> to memref<?xf32, strided<[1], offset: ?>>
        %row.scales.here = memref.subview %row.scales.tile[0] [%rows] [1] : memref<128xf32> to memref<?xf32, strided<[1]>>
        memref.copy %row.scales.there, %row.scales.here : memref<?xf32, strided<[1], offset: ?>> to memref<?xf32, strided<[1]>>
        %row.scales = bufferization.to_tensor %row.scales.tile restrict writable : memref<128xf32>
        %row.scales.empty = tensor.empty() : tensor<128x256xf32>
        %row.scales.wide = linalg.broadcast ins(%row.scales : tensor<128xf32>) outs(%row.scales.empty : tensor<128x256xf32>) dimensions = [1]
        %real = arith.sitofp %sums : tensor<128x256xi32> to tensor<128x256xf32>
        %scaled = arith.mulf %real, %column.scales.wide : tensor<128x256xf32>
        %dequantized = arith.mulf %scaled, %row.scales.wide : tensor<128x256xf32>
        %rounded = arith.truncf %dequantized : tensor<128x256xf32> to tensor<128x256xbf16>
        %out.offset.stride = arith.constant 4096 : index
        %out.offset.0 = arith.muli %row, %out.offset.stride : index
        %out.offset = arith.addi %out.offset.0, %column : index
        %out.view = memref.reinterpret_cast %out.given to offset: [%out.offset], sizes: [128, 256], strides: [4096, 1] : memref<?xbf16> to memref<128x256xbf16, strided<[4096, 1], offset: ?>>
        %out.there = memref.subview %out.view[0, 0] [%rows, 256] [1, 1] : memref<128x256xbf16, strided<[4096, 1], offset: ?>> to memref<?x256xbf16, strided<[4096, 1], offset: ?>>
        %out.part = tensor.extract_slice %rounded[0, 0] [%rows, 256] [1, 1] : tensor<128x256xbf16> to tensor<?x256xbf16>
        bufferization.materialize_in_destination %out.part in writable %out.there : (tensor<?x256xbf16>, memref<?x256xbf16, strided<[4096, 1], offset: ?>>) -> ()
      }
      %ahead = arith.subi %first, %tiles : index
      %behind = arith.remsi %ahead, %cores : index
      %wrapped = arith.addi %behind, %cores : index
      %next = arith.remsi %wrapped, %cores : index
      scf.yield %next : index
    }
    return
  }
}
