"""Keras recipes: functional, sequential and subclassed models."""

import keras
from keras import layers


def build(height: int | None = 32, width: int | None = 32) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((height, width, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.Activation("swish")(layers.DepthwiseConv2D(3, padding="same")(x))
    x = layers.SeparableConv2D(16, 3, padding="same")(layers.Add()([x, y]))
    x = layers.UpSampling2D(interpolation="bilinear")(layers.MaxPooling2D()(x))
    x = layers.GlobalAveragePooling2D()(layers.Dropout(0.3)(x))
    return keras.Model(image, layers.Dense(4, activation="softmax")(x))


def sequential() -> keras.Model:
    return keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(4, 3)

    def call(self, x):
        return self.conv(x)


def two_inputs() -> keras.Model:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    return keras.Model({"a": a, "b": b}, layers.Subtract()([a, layers.Dense(4)(b)]))
