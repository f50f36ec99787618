/* A program that does not end by itself. */
#include <unistd.h>

int main(void)
{
    for (;;)
        (void)pause();
}
