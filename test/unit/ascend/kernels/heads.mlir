// kernel: {"rows":{"kind":"heads","matrices":128},"n":512,"k":128,"input":"bf16","output":"bf16","weight":"nk","dequantize":false,"bias":false,"tile":{"m":16,"n":256,"k":128},"copies":{"l1":2,"l0c":2}}
module attributes {hacc.target = #hacc.target<"Ascend910B3">} {
  func.func @heads128_512x128_bf16_bf16_t16x256x128_l1x2_l0cx2(
    %lock: memref<?xi8>,
    %workspace: memref<?xi8>,
    %x.given: memref<?xbf16>,
    %w.given: memref<?xbf16>,
    %out.given: memref<?xbf16>,
    %rows.given: i32,
    %programs.x: i32,
    %programs.y: i32,
    %programs.z: i32,
    %program.x: i32,
    %program.y: i32,
    %program.z: i32
  ) attributes {SyncBlockLockArgIdx = 0 : i64, WorkspaceArgIdx = 1 : i64, global_kernel = "local", hacc.entry, hacc.function_kind = #hacc.function_kind<DEVICE>, mix_mode = "aic", parallel_mode = "simd"} {
    %zero = arith.constant 0 : index
    %one = arith.constant 1 : index
    %n = arith.constant 512 : index
    %k = arith.constant 128 : index
    %tile.m = arith.constant 16 : index
    %tile.n = arith.constant 256 : index
    %tile.k = arith.constant 128 : index
    %across = arith.constant 2 : index
    %matrices = arith.constant 128 : index
    %matrix.size = arith.constant 65536 : index
    %core = arith.index_cast %program.x : i32 to index
    %cores = arith.index_cast %programs.x : i32 to index
    %rows.all = arith.index_cast %rows.given : i32 to index
    %down = arith.ceildivui %rows.all, %tile.m : index
    %tiles.each = arith.muli %down, %across : index
    %tiles = arith.muli %tiles.each, %matrices : index
    scf.for %t = %core to %tiles step %cores {
      %matrix = arith.divui %t, %tiles.each : index
      %t.in = arith.remui %t, %tiles.each : index
      %i = arith.divui %t.in, %across : index
      %j = arith.remui %t.in, %across : index
      %row.in = arith.muli %i, %tile.m : index
      %row = arith.addi %zero, %row.in : index
      %rows.left = arith.subi %rows.all, %row : index
      %rows = arith.minsi %rows.left, %tile.m : index
      %column = arith.muli %j, %tile.n : index
      %matrix.begin = arith.muli %matrix, %matrix.size : index
      %head.x = arith.muli %matrix, %k : index
      %head.out = arith.muli %matrix, %n : index
      %none = tensor.empty() : tensor<16x256xf32>
      %nothing = arith.constant 0.0 : f32
      %cleared = linalg.fill ins(%nothing : f32) outs(%none : tensor<16x256xf32>) -> tensor<16x256xf32>
      %sums = scf.for %depth.at = %zero to %k step %tile.k iter_args(%sum = %cleared) -> (tensor<16x256xf32>) {
        %x.offset.stride = arith.constant 16384 : index
        %x.offset.0 = arith.muli %row, %x.offset.stride : index
        %x.offset.1 = arith.addi %x.offset.0, %head.x : index
        %x.offset = arith.addi %x.offset.1, %depth.at : index
        %x.view = memref.reinterpret_cast %x.given to offset: [%x.offset], sizes: [16, 128], strides: [16384, 1] : memref<?xbf16> to memref<16x128xbf16, strided<[16384, 1], offset: ?>>
        %x.tile = memref.alloc() : memref<16x128xbf16>
        %x.there = memref.subview %x.view[0, 0] [%rows, 128] [1, 1] : memref<16x128xbf16, strided<[16384, 1], offset: ?>> to memref<?x128xbf16, strided<[16384, 1], offset: ?>>
        %x.here = memref.subview %x.tile[0, 0] [%rows, 128] [1, 1] : memref<16x128xbf16> to memref<?x128xbf16, strided<[128, 1]>>
        memref.copy %x.there, %x.here : memref<?x128xbf16, strided<[16384, 1], offset: ?>> to memref<?x128xbf16, strided<[128, 1]>>
        %x = bufferization.to_tensor %x.tile restrict writable : memref<16x128xbf16>
        %w.offset.stride = arith.constant 128 : index
        %w.offset.0 = arith.muli %column, %w.offset.stride : index
        %w.offset.1 = arith.addi %w.offset.0, %matrix.begin : index
        %w.offset = arith.addi %w.offset.1, %depth.at : index
        %w.view = memref.reinterpret_cast %w.given to offset: [%w.offset], sizes: [256, 128], strides: [128, 1] : memref<?xbf16> to memref<256x128xbf16, strided<[128, 1], offset: ?>>
        %w.tile = memref.alloc() : memref<256x128xbf16>
        memref.copy %w.view, %w.tile : memref<256x128xbf16, strided<[128, 1], offset: ?>> to memref<256x128xbf16>
        %w = bufferization.to_tensor %w.tile restrict writable : memref<256x128xbf16>
        %w.empty = tensor.empty() : tensor<128x256xbf16>
        %w.turned = linalg.transpose ins(%w : tensor<256x128xbf16>) outs(%w.empty : tensor<128x256xbf16>) permutation = [1, 0]
        %more = linalg.matmul ins(%x, %w.turned : tensor<16x128xbf16>, tensor<128x256xbf16>) outs(%sum : tensor<16x256xf32>) -> tensor<16x256xf32>
        scf.yield %more : tensor<16x256xf32>
      }
      %rounded = arith.truncf %sums : tensor<16x256xf32> to tensor<16x256xbf16>
      %out.offset.stride = arith.constant 65536 : index
      %out.offset.0 = arith.muli %row, %out.offset.stride : index
      %out.offset.1 = arith.addi %out.offset.0, %head.out : index
      %out.offset = arith.addi %out.offset.1, %column : index
      %out.view = memref.reinterpret_cast %out.given to offset: [%out.offset], sizes: [16, 256], strides: [65536, 1] : memref<?xbf16> to memref<16x256xbf16, strided<[65536, 1], offset: ?>>
      %out.there = memref.subview %out.view[0, 0] [%rows, 256] [1, 1] : memref<16x256xbf16, strided<[65536, 1], offset: ?>> to memref<?x256xbf16, strided<[65536, 1], offset: ?>>
      %out.part = tensor.extract_slice %rounded[0, 0] [%rows, 256] [1, 1] : tensor<16x256xbf16> to tensor<?x256xbf16>
      bufferization.materialize_in_destination %out.part in writable %out.there : (tensor<?x256xbf16>, memref<?x256xbf16, strided<[65536, 1], offset: ?>>) -> ()
    }
    return
  }
}
