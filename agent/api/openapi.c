/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/api/openapi.h"

/* A path from the root, where the compiler is run; the Makefile knows that it is part of us. */
__asm__(".pushsection .rodata\n"
	".global openapi_text\n"
	".global openapi_end\n"
	"openapi_text:\n"
	".incbin \"agent/api/openapi.json\"\n"
	"openapi_end:\n"
	".byte 0\n"
	".popsection\n");
