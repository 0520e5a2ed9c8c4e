// What PyTorch 2.13 computes slowly on a CPU, on bfloat16 tensors with the channels last:
// batch normalisation without scale and the ReLU behind it, which it makes seven passes over memory of
// where two forward and two back will do, and strided depthwise convolutions.

#include <ATen/Parallel.h>
#include <torch/extension.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

inline float widen(uint16_t value) {
    uint32_t bits = static_cast<uint32_t>(value) << 16;
    float out;
    __builtin_memcpy(&out, &bits, sizeof out);
    return out;
}

inline uint16_t narrow(float value) {
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

constexpr int64_t kBlock = 64;  // rows summed in float before they are added to the double totals

// Sums first(row, c) and second(row, c) over all rows, per channel.
template <typename Pair>
void column_sums(int64_t rows, int64_t channels, double* first, double* second, const Pair& pair) {
    const int threads = at::get_num_threads();
    std::vector<std::vector<double>> parts(threads, std::vector<double>(2 * channels, 0.0));
    const int64_t share = (rows + threads - 1) / threads;
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t thread = begin; thread < end; ++thread) {
            std::vector<float> a(channels), b(channels);
            double* total = parts[thread].data();
            const int64_t last = std::min(rows, (thread + 1) * share);
            for (int64_t block = thread * share; block < last; block += kBlock) {
                std::fill(a.begin(), a.end(), 0.0f);
                std::fill(b.begin(), b.end(), 0.0f);
                const int64_t stop = std::min(last, block + kBlock);
                for (int64_t row = block; row < stop; ++row) pair(row, a.data(), b.data());
                for (int64_t c = 0; c < channels; ++c) {
                    total[c] += a[c];
                    total[channels + c] += b[c];
                }
            }
        }
    });
    for (int64_t c = 0; c < channels; ++c) {
        first[c] = second[c] = 0.0;
        for (const auto& part : parts) {
            first[c] += part[c];
            second[c] += part[channels + c];
        }
    }
}

int64_t rows_of(const at::Tensor& x) { return x.size(0) * x.size(2) * x.size(3); }

const uint16_t* values(const at::Tensor& x) { return reinterpret_cast<const uint16_t*>(x.data_ptr()); }

void check(const at::Tensor& x) {
    TORCH_CHECK(x.scalar_type() == at::kBFloat16 && x.is_contiguous(at::MemoryFormat::ChannelsLast),
                "expected bfloat16, channels last");
}

}  // namespace

// x -> relu((x - mean) * inverse + beta); also the batch's mean, variance and 1 / sqrt(variance + epsilon).
std::vector<at::Tensor> forward(const at::Tensor& x, const at::Tensor& beta, double epsilon) {
    check(x);
    const int64_t rows = rows_of(x), channels = x.size(1);
    const uint16_t* in = values(x);
    std::vector<double> sum(channels), square(channels);
    column_sums(rows, channels, sum.data(), square.data(), [&](int64_t row, float* a, float* b) {
        const uint16_t* __restrict p = in + row * channels;
        float* __restrict a_ = a;
        float* __restrict b_ = b;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
            const float v = widen(p[c]);
            a_[c] += v;
            b_[c] += v * v;
        }
    });
    at::Tensor mean = at::empty_like(beta), variance = at::empty_like(beta), inverse = at::empty_like(beta);
    std::vector<float> scale(channels), shift(channels);
    for (int64_t c = 0; c < channels; ++c) {
        const double m = sum[c] / rows, v = std::max(0.0, square[c] / rows - m * m);
        mean.data_ptr<float>()[c] = static_cast<float>(m);
        variance.data_ptr<float>()[c] = static_cast<float>(v);
        scale[c] = inverse.data_ptr<float>()[c] = static_cast<float>(1.0 / std::sqrt(v + epsilon));
        shift[c] = beta.data_ptr<float>()[c] - static_cast<float>(m) * scale[c];
    }
    at::Tensor y = at::empty_like(x);
    uint16_t* out = reinterpret_cast<uint16_t*>(y.data_ptr());
    at::parallel_for(0, rows, 512, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const uint16_t* __restrict p = in + row * channels;
            uint16_t* __restrict q = out + row * channels;
            const float* __restrict scale_ = scale.data();
            const float* __restrict shift_ = shift.data();
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                const float v = widen(p[c]) * scale_[c] + shift_[c];
                q[c] = narrow(v > 0.0f ? v : 0.0f);
            }
        }
    });
    return {y, mean, variance, inverse};
}

// The gradients with respect to x and beta.
std::vector<at::Tensor> backward(const at::Tensor& gradient, const at::Tensor& x, const at::Tensor& y,
                                 const at::Tensor& mean, const at::Tensor& inverse) {
    check(gradient), check(x), check(y);
    const int64_t rows = rows_of(x), channels = x.size(1);
    const uint16_t *in = values(x), *kept = values(y), *dy = values(gradient);
    const float *m = mean.data_ptr<float>(), *s = inverse.data_ptr<float>();
    std::vector<double> sum(channels), product(channels);
    column_sums(rows, channels, sum.data(), product.data(), [&](int64_t row, float* a, float* b) {
        const int64_t at = row * channels;
        const uint16_t *__restrict k_ = kept + at, *__restrict d_ = dy + at, *__restrict i_ = in + at;
        float *__restrict a_ = a, *__restrict b_ = b;
        const float *__restrict m_ = m, *__restrict s_ = s;
#pragma omp simd
        for (int64_t c = 0; c < channels; ++c) {
            const float g = k_[c] ? widen(d_[c]) : 0.0f;
            a_[c] += g;
            b_[c] += g * (widen(i_[c]) - m_[c]) * s_[c];
        }
    });
    at::Tensor beta = at::empty_like(mean), dx = at::empty_like(x);
    std::vector<float> centre(channels), slope(channels);
    for (int64_t c = 0; c < channels; ++c) {
        beta.data_ptr<float>()[c] = static_cast<float>(sum[c]);
        slope[c] = static_cast<float>(product[c] / rows) * s[c];
        centre[c] = static_cast<float>(sum[c] / rows) - slope[c] * m[c];
    }
    uint16_t* out = reinterpret_cast<uint16_t*>(dx.data_ptr());
    at::parallel_for(0, rows, 512, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t at = row * channels;
            const uint16_t *__restrict k_ = kept + at, *__restrict d_ = dy + at, *__restrict i_ = in + at;
            uint16_t* __restrict o_ = out + at;
            const float *__restrict n_ = centre.data(), *__restrict l_ = slope.data(), *__restrict s_ = s;
#pragma omp simd
            for (int64_t c = 0; c < channels; ++c) {
                const float g = k_[c] ? widen(d_[c]) : 0.0f;
                o_[c] = narrow((g - n_[c] - l_[c] * widen(i_[c])) * s_[c]);
            }
        }
    });
    return {dx, beta};
}

// A 3x3 depthwise convolution with a border of one zero. The kernel is float, (3, 3, channels).

namespace {

struct Shape {
    int64_t images, rows, columns, channels, out_rows, out_columns, stride;
};

Shape shape_of(const at::Tensor& x, int64_t stride) {
    const int64_t rows = x.size(2), columns = x.size(3);
    return {x.size(0), rows, columns, x.size(1), (rows - 1) / stride + 1, (columns - 1) / stride + 1, stride};
}

// Calls tap(output pixel, input pixel, place in the kernel) for all taps of one row of outputs.
template <typename Tap>
void row_taps(const Shape& s, int64_t image, int64_t out_row, const Tap& tap) {
    for (int64_t out_column = 0; out_column < s.out_columns; ++out_column) {
        const int64_t out = (image * s.out_rows + out_row) * s.out_columns + out_column;
        for (int64_t i = 0; i < 3; ++i) {
            const int64_t row = out_row * s.stride + i - 1;
            if (row < 0 || row >= s.rows) continue;
            for (int64_t j = 0; j < 3; ++j) {
                const int64_t column = out_column * s.stride + j - 1;
                if (column < 0 || column >= s.columns) continue;
                tap(out, (image * s.rows + row) * s.columns + column, i * 3 + j);
            }
        }
    }
}

}  // namespace

at::Tensor depthwise_forward(const at::Tensor& x, const at::Tensor& kernel, int64_t stride) {
    check(x);
    const Shape s = shape_of(x, stride);
    at::Tensor y = at::empty({s.images, s.channels, s.out_rows, s.out_columns}, x.options(),
                             at::MemoryFormat::ChannelsLast);
    const uint16_t* in = values(x);
    const float* w = kernel.data_ptr<float>();
    uint16_t* out = reinterpret_cast<uint16_t*>(y.data_ptr());
    const int64_t n = s.channels;
    at::parallel_for(0, s.images * s.out_rows, 4, [&](int64_t begin, int64_t end) {
        std::vector<float> sums(n);
        float* __restrict sum = sums.data();
        for (int64_t line = begin; line < end; ++line) {
            int64_t current = -1;
            const auto store = [&]() {
                if (current < 0) return;
                uint16_t* __restrict q = out + current * n;
#pragma omp simd
                for (int64_t c = 0; c < n; ++c) q[c] = narrow(sum[c]);
            };
            row_taps(s, line / s.out_rows, line % s.out_rows, [&](int64_t to, int64_t from, int64_t place) {
                if (to != current) {
                    store();
                    std::fill(sums.begin(), sums.end(), 0.0f);
                    current = to;
                }
                const uint16_t* __restrict p = in + from * n;
                const float* __restrict k = w + place * n;
#pragma omp simd
                for (int64_t c = 0; c < n; ++c) sum[c] += widen(p[c]) * k[c];
            });
            store();
        }
    });
    return y;
}

// The gradients with respect to x and to the kernel.
std::vector<at::Tensor> depthwise_backward(const at::Tensor& gradient, const at::Tensor& x,
                                           const at::Tensor& kernel, int64_t stride) {
    check(gradient), check(x);
    const Shape s = shape_of(x, stride);
    const uint16_t *in = values(x), *dy = values(gradient);
    const float* w = kernel.data_ptr<float>();
    const int64_t n = s.channels, image_values = s.rows * s.columns * n;
    at::Tensor dx = at::empty_like(x);
    uint16_t* out = reinterpret_cast<uint16_t*>(dx.data_ptr());
    const int threads = at::get_num_threads();
    const int64_t share = (s.images + threads - 1) / threads;
    at::Tensor parts = at::zeros({threads, 9, n}, kernel.options());
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
        std::vector<float> sums(image_values);
        for (int64_t thread = begin; thread < end; ++thread) {
            float* part = parts.data_ptr<float>() + thread * 9 * n;
            const int64_t last = std::min(s.images, (thread + 1) * share);
            for (int64_t image = thread * share; image < last; ++image) {
                std::fill(sums.begin(), sums.end(), 0.0f);
                const int64_t first = image * s.rows * s.columns;
                for (int64_t out_row = 0; out_row < s.out_rows; ++out_row) {
                    row_taps(s, image, out_row, [&](int64_t to, int64_t from, int64_t place) {
                        const uint16_t *__restrict g = dy + to * n, *__restrict p = in + from * n;
                        const float* __restrict k = w + place * n;
                        float* __restrict sum = sums.data() + (from - first) * n;
                        float* __restrict total = part + place * n;
#pragma omp simd
                        for (int64_t c = 0; c < n; ++c) {
                            const float v = widen(g[c]);
                            sum[c] += v * k[c];
                            total[c] += v * widen(p[c]);
                        }
                    });
                }
                uint16_t* __restrict q = out + image * image_values;
                const float* __restrict sum = sums.data();
#pragma omp simd
                for (int64_t i = 0; i < image_values; ++i) q[i] = narrow(sum[i]);
            }
        }
    });
    return {dx, parts.sum(0).view({3, 3, n})};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, module) {
    module.def("forward", &forward);
    module.def("backward", &backward);
    module.def("depthwise_forward", &depthwise_forward);
    module.def("depthwise_backward", &depthwise_backward);
}
