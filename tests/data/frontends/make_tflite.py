"""Writes float.tflite and int8.tflite into a folder, with an input and TensorFlow's results."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

folder, random = Path(sys.argv[1]), np.random.default_rng(0)
IMAGE = random.random((1, 16, 16, 3)).astype(np.float32)
WEIGHTS = [random.normal(0, 0.3, shape).astype(np.float32) for shape in
           ((3, 3, 3, 8), (3, 3, 8, 1), (8, 4))]


@tf.function(input_signature=[tf.TensorSpec(IMAGE.shape, tf.float32, name="image")])
def net(image):
    x = tf.nn.relu6(tf.nn.conv2d(image, WEIGHTS[0], 2, "SAME"))
    x = x + tf.nn.depthwise_conv2d(x, WEIGHTS[1], [1, 1, 1, 1], "SAME")
    return tf.matmul(tf.reduce_mean(x, [1, 2]), WEIGHTS[2])


def convert(quantized: bool) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()])
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([IMAGE] for _ in range(1))
    return converter.convert()


np.save(folder / "image.npy", IMAGE)
for name in ("float", "int8"):
    content = convert(name == "int8")
    (folder / f"{name}.tflite").write_bytes(content)
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], IMAGE)
    interpreter.invoke()
    np.save(folder / f"{name}.npy",
            interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
