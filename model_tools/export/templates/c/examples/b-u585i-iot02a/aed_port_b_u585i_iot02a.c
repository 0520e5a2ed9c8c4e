/* B-U585I-IOT02A: the digital microphone through ADF1 and a circular GPDMA channel, text through USART1.

   STM32CubeMX generates what is called here; its settings are in README.md. Its own main.c must not have a main:
   Project Manager, "Do not generate the main()". */
#include <string.h>

#include "adf.h"
#include "aed_port.h"
#include "gpdma.h"
#include "icache.h"
#include "main.h"
#include "usart.h"

#define PRINT_TIMEOUT_MS 100u

static int16_t *buffer;
static size_t half_count;

void aed_port_init(void)
{
    HAL_Init();
    SystemClock_Config();
    MX_ICACHE_Init();
    MX_GPDMA1_Init();
    MX_ADF1_Init();
    MX_USART1_UART_Init();
}

void aed_port_record(int16_t *samples, size_t count)
{
    MDF_DmaConfigTypeDef dma;
    buffer = samples;
    half_count = count / 2;
    memset(&dma, 0, sizeof dma);
    dma.Address = (uint32_t)samples;
    dma.DataLength = (uint32_t)(count * sizeof *samples);
    dma.MsbOnly = ENABLE; /* the upper 16 of 24 bits */
    if (HAL_MDF_AcqStart_DMA(&AdfHandle0, &AdfFilterConfig0, &dma) != HAL_OK) {
        Error_Handler();
    }
}

void HAL_MDF_AcqHalfCpltCallback(MDF_HandleTypeDef *handle)
{
    (void)handle;
    aed_port_samples(buffer, half_count);
}

void HAL_MDF_AcqCpltCallback(MDF_HandleTypeDef *handle)
{
    (void)handle;
    aed_port_samples(buffer + half_count, half_count);
}

/* The DMA's interrupt comes every 10 ms: one that comes just before the core sleeps costs no more. */
bool aed_port_wait(void)
{
    __WFI();
    return true;
}

void aed_port_print(const char *text)
{
    (void)HAL_UART_Transmit(&huart1, (const uint8_t *)text, (uint16_t)strlen(text), PRINT_TIMEOUT_MS);
}
