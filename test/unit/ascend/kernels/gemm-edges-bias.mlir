// kernel: {"rows":{"kind":"one"},"n":70,"k":50,"input":"f16","output":"f32","weight":"kn","dequantize":false,"bias":true,"tile":{"m":16,"n":48,"k":32},"copies":{"l1":2,"l0c":2}}
module attributes {hacc.target = #hacc.target<"Ascend910B3">} {
  func.func @gemm_70x50_f16_f32_kn_bias_t16x48x32_l1x2_l0cx2(
    %lock: memref<?xi8>,
    %workspace: memref<?xi8>,
    %x.given: memref<?xf16>,
    %w.given: memref<?xf16>,
    %out.given: memref<?xf32>,
    %bias.given: memref<?xf32>,
    %rows.given: i32,
    %programs.x: i32,
    %programs.y: i32,
    %programs.z: i32,
    %program.x: i32,
    %program.y: i32,
    %program.z: i32
  ) attributes {SyncBlockLockArgIdx = 0 : i64, WorkspaceArgIdx = 1 : i64, global_kernel = "local", hacc.entry, hacc.function_kind = #hacc.function_kind<DEVICE>, mix_mode = "mix", parallel_mode = "simd"} {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %n = arith.constant 70 : index
    %k = arith.constant 50 : index
    %tile.m = arith.constant 16 : index
    %tile.n = arith.constant 48 : index
    %tile.k = arith.constant 32 : index
    %across = arith.constant 2 : index
    %core = arith.index_cast %program.x : i32 to index
    %cores = arith.index_cast %programs.x : i32 to index
    %rows.all = arith.index_cast %rows.given : i32 to index
    %down = arith.ceildivui %rows.all, %tile.m : index
    %tiles = arith.muli %down, %across : index
    scf.for %t = %core to %tiles step %cores {
      %i = arith.divui %t, %across : index
      %j = arith.remui %t, %across : index
      %row.in = arith.muli %i, %tile.m : index
      %row = arith.addi %zero, %row.in : index
      %rows.left = arith.subi %rows.all, %row : index
      %rows = arith.minsi %rows.left, %tile.m : index
      %column = arith.muli %j, %tile.n : index
      %columns.left = arith.subi %n, %column : index
      %columns = arith.minsi %columns.left, %tile.n : index
      %none = tensor.empty() : tensor<16x48xf32>
      %nothing = arith.constant 0.0 : f32
      %cleared = linalg.fill ins(%nothing : f32) outs(%none : tensor<16x48xf32>) -> tensor<16x48xf32>
      %sums = scf.for %depth.at = %zero to %k step %tile.k iter_args(%sum = %cleared) -> (tensor<16x48xf32>) {
        %depth.left = arith.subi %k, %depth.at : index
        %depth = arith.minsi %depth.left, %tile.k : index
        %x.offset.stride = arith.constant 50 : index
        %x.offset.0 = arith.muli %row, %x.offset.stride : index
        %x.offset = arith.addi %x.offset.0, %depth.at : index
        %x.view = memref.reinterpret_cast %x.given to offset: [%x.offset], sizes: [16, 32], strides: [50, 1] : memref<?xf16> to memref<16x32xf16, strided<[50, 1], offset: ?>>
        %x.tile = memref.alloc() : memref<16x32xf16>
        %x.there = memref.subview %x.view[0, 0] [%rows, %depth] [1, 1] : memref<16x32xf16, strided<[50, 1], offset: ?>> to memref<?x?xf16, strided<[50, 1], offset: ?>>
        %x.here = memref.subview %x.tile[0, 0] [%rows, %depth] [1, 1] : memref<16x32xf16> to memref<?x?xf16, strided<[32, 1]>>
        memref.copy %x.there, %x.here : memref<?x?xf16, strided<[50, 1], offset: ?>> to memref<?x?xf16, strided<[32, 1]>>
        %x = bufferization.to_tensor %x.tile restrict writable : memref<16x32xf16>
        %w.offset.stride = arith.constant 70 : index
        %w.offset.0 = arith.muli %depth.at, %w.offset.stride : index
        %w.offset = arith.addi %w.offset.0, %column : index
        %w.view = memref.reinterpret_cast %w.given to offset: [%w.offset], sizes: [32, 48], strides: [70, 1] : memref<?xf16> to memref<32x48xf16, strided<[70, 1], offset: ?>>
        %w.tile = memref.alloc() : memref<32x48xf16>
        %w.there = memref.subview %w.view[0, 0] [%depth, %columns] [1, 1] : memref<32x48xf16, strided<[70, 1], offset: ?>> to memref<?x?xf16, strided<[70, 1], offset: ?>>
        %w.here = memref.subview %w.tile[0, 0] [%depth, %columns] [1, 1] : memref<32x48xf16> to memref<?x?xf16, strided<[48, 1]>>
        memref.copy %w.there, %w.here : memref<?x?xf16, strided<[70, 1], offset: ?>> to memref<?x?xf16, strided<[48, 1]>>
        %w = bufferization.to_tensor %w.tile restrict writable : memref<32x48xf16>
        %more = linalg.matmul ins(%x, %w : tensor<16x32xf16>, tensor<32x48xf16>) outs(%sum : tensor<16x48xf32>) -> tensor<16x48xf32>
        scf.yield %more : tensor<16x48xf32>
      }
      %column.scale = arith.addi %zero, %column : index
      %bias.view = memref.reinterpret_cast %bias.given to offset: [%column.scale], sizes: [48], strides: [1] : memref<?xf32> to memref<48xf32, strided<[1], offset: ?>>
      %bias.tile = memref.alloc() : memref<48xf32>
      %bias.there = memref.subview %bias.view[0] [%columns] [1] : memref<48xf32, strided<[1], offset: ?>> to memref<?xf32, strided<[1], offset: ?>>
      %bias.here = memref.subview %bias.tile[0] [%columns] [1] : memref<48xf32> to memref<?xf32, strided<[1]>>
      memref.copy %bias.there, %bias.here : memref<?xf32, strided<[1], offset: ?>> to memref<?xf32, strided<[1]>>
      %bias = bufferization.to_tensor %bias.tile restrict writable : memref<48xf32>
      %bias.empty = tensor.empty() : tensor<16x48xf32>
      %bias.wide = linalg.broadcast ins(%bias : tensor<48xf32>) outs(%bias.empty : tensor<16x48xf32>) dimensions = [0]
      %biased = arith.addf %sums, %bias.wide : tensor<16x48xf32>
      %out.offset.stride = arith.constant 70 : index
      %out.offset.0 = arith.muli %row, %out.offset.stride : index
      %out.offset = arith.addi %out.offset.0, %column : index
      %out.view = memref.reinterpret_cast %out.given to offset: [%out.offset], sizes: [16, 48], strides: [70, 1] : memref<?xf32> to memref<16x48xf32, strided<[70, 1], offset: ?>>
      %out.there = memref.subview %out.view[0, 0] [%rows, %columns] [1, 1] : memref<16x48xf32, strided<[70, 1], offset: ?>> to memref<?x?xf32, strided<[70, 1], offset: ?>>
      %out.part = tensor.extract_slice %biased[0, 0] [%rows, %columns] [1, 1] : tensor<16x48xf32> to tensor<?x?xf32>
      bufferization.materialize_in_destination %out.part in writable %out.there : (tensor<?x?xf32>, memref<?x?xf32, strided<[70, 1], offset: ?>>) -> ()
    }
    return
  }
}
