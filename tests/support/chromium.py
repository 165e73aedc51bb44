"""Flags of Chromium for tests."""

# WebGPU on the processor: the same adapter on every machine.
SWIFTSHADER = ("--use-webgpu-adapter=swiftshader",)

# WebGPU paints canvases only where the browser itself draws on a GPU, or on an emulated one.
PAINTING = ("--enable-features=Vulkan", "--use-vulkan=swiftshader", "--use-angle=swiftshader",
            "--enable-unsafe-swiftshader")
