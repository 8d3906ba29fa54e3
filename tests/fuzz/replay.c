/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A main() for fuzz targets without libFuzzer: gives the target every file
 * named in the arguments and every file of the folders named there, and each
 * of them cut short in up to CUTS_MAX places as well. Without arguments the
 * corpus is tests/fuzz/corpus/NAME for a program called fuzz_NAME.
 *
 * Every input is a block of its own of exactly its size, so that a sanitizer
 * or valgrind sees the first byte that is read beyond it.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/attr.h"
#include "agent/base/buf.h"
#include "agent/base/err.h"
#include "agent/base/file.h"

#define INPUT_MAX (16 * 1024 * 1024)
#define CUTS_MAX  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void give(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static bool replay_file(const char *path, unsigned *inputs)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct err err = { 0 };

	printf("# %s\n", path); /* the last one printed is the one that crashed */
	if (file_read(path, INPUT_MAX, &text, &err) < 0) {
		printf("# %s\n", err.text);
		return false;
	}
	give(text.data, text.len);
	for (size_t cut = 0; cut < CUTS_MAX && cut < text.len; cut++)
		give(text.data, text.len <= CUTS_MAX ? cut : text.len / CUTS_MAX * cut);
	(*inputs)++;
	return true;
}

static int no_dot_files(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static bool replay(const char *path, unsigned *inputs)
{
	struct dirent **names;
	bool ok = true;
	int n = scandir(path, &names, no_dot_files, alphasort);

	if (n < 0 && errno == ENOTDIR)
		return replay_file(path, inputs);
	if (n < 0) {
		printf("# %s: %s\n", path, strerror(errno));
		return false;
	}
	for (int i = 0; i < n; i++) {
		char file[PATH_MAX];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		ok = replay_file(file, inputs) && ok;
		free(names[i]);
	}
	free(names);
	return ok;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	char corpus[PATH_MAX];
	unsigned inputs = 0;
	bool ok = true;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		snprintf(corpus, sizeof(corpus), "tests/fuzz/corpus/%s",
			 strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
		ok = replay(corpus, &inputs);
	}
	for (int i = 1; i < argc; i++)
		ok = replay(argv[i], &inputs) && ok;

	ok = ok && inputs > 0;
	printf("%s 1 - %s: %u inputs, whole and cut short\n", ok ? "ok" : "not ok", name, inputs);
	return ok ? 0 : 1;
}
