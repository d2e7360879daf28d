/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mutate.c - main() of a fuzz target where libFuzzer is not
 *
 * Runs the seeds in FOLDER/test/corpus/NAME, then changes of them, the same ones
 * every time.  It knows nothing of coverage: it sees to it that targets work and
 * that what was mended stays so.
 *
 *	fuzz_NAME [FILE...]	these inputs only
 *	FUZZ_RUNS=n		changed inputs (default 1500)
 *	FUZZ_SAVE=FILE		each input is written there before it is run
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 4096, MAX_SEEDS = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	uint8_t *p;
	size_t n;
};

static struct input seeds[MAX_SEEDS];
static size_t nseeds;
static uint64_t state = 1;

static uint64_t below(uint64_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return n ? state % n : 0;
}

static void run(const uint8_t *p, size_t n)
{
	const char *save = getenv("FUZZ_SAVE");
	FILE *f = save ? fopen(save, "wb") : NULL;
	uint8_t *exact = malloc(n ? n : 1);

	if (f) {
		fwrite(p, 1, n, f);
		fclose(f);
	}
	memcpy(exact, p, n); /* so that a sanitizer sees who reads beyond */
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void add_seed(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct input *s = &seeds[nseeds];

	if (!f || nseeds == MAX_SEEDS) {
		perror(path);
		exit(1);
	}
	s->p = malloc(MAX_SIZE * 16);
	s->n = fread(s->p, 1, MAX_SIZE * 16, f);
	nseeds++;
	fclose(f);
}

/* In the order of their names: a folder has another one on each machine. */
static void add_folder(const char *path)
{
	char *names[MAX_SEEDS];
	size_t n = 0, i;
	struct dirent *e;
	DIR *d = opendir(path);

	while (d && n < MAX_SEEDS && (e = readdir(d))) {
		size_t len = strlen(path) + strlen(e->d_name) + 2;

		if (e->d_name[0] == '.')
			continue;
		names[n] = malloc(len);
		snprintf(names[n++], len, "%s/%s", path, e->d_name);
	}
	if (d)
		closedir(d);
	qsort(names, n, sizeof(names[0]), by_name);
	for (i = 0; i < n; i++) {
		add_seed(names[i]);
		free(names[i]);
	}
}

/* build/san/traces/test/fuzz_csv has its seeds in traces/test/corpus/csv. */
static void add_own_seeds(const char *program)
{
	const char *name = strstr(program, "/test/fuzz_"), *folder = name;
	char path[256];

	while (folder && folder > program && folder[-1] != '/')
		folder--;
	if (!name)
		return;
	snprintf(path, sizeof(path), "%.*s/test/corpus/%s", (int)(name - folder), folder,
		 name + strlen("/test/fuzz_"));
	add_folder(path);
}

/* One change of the @n bytes at @p; how many there are now. */
static size_t change(uint8_t *p, size_t n)
{
	static const char *const words[] = { "0",  "-1",   "18446744073709551615", "1e9", "\n", ",",
					     "\"", "[]{}", "\xff\xff\xff\xff",	   ":",	  "\0" };
	const struct input *other = &seeds[below(nseeds)];
	size_t at = below(n), len = 1 + below(16);
	const char *word;

	switch (below(6)) {
	case 0:
		if (n)
			p[at] ^= (uint8_t)(1 << below(8));
		return n;
	case 1:
		if (n)
			p[at] = (uint8_t)below(256);
		return n;
	case 2: /* cut out */
		len = len < n - at ? len : n - at;
		memmove(p + at, p + at + len, n - at - len);
		return n - len;
	case 3: /* put in, a word */
		word = words[below(sizeof(words) / sizeof(words[0]))];
		len = strlen(word);
		break;
	default: /* put in, from another */
		if (!other->n)
			return n;
		word = (const char *)other->p + below(other->n);
		len = len < (size_t)(other->p + other->n - (const uint8_t *)word)
			      ? len
			      : (size_t)(other->p + other->n - (const uint8_t *)word);
	}
	if (n + len > MAX_SIZE)
		return n;
	memmove(p + at + len, p + at, n - at);
	memcpy(p + at, word, len);
	return n + len;
}

int main(int argc, char **argv)
{
	const char *runs = getenv("FUZZ_RUNS");
	long n = runs ? strtol(runs, NULL, 10) : 1500, i;
	uint8_t work[MAX_SIZE];

	for (i = 1; i < argc; i++)
		add_seed(argv[i]);
	if (argc < 2)
		add_own_seeds(argv[0]);
	for (i = 0; i < (long)nseeds; i++)
		run(seeds[i].p, seeds[i].n);
	printf("%sok 1 - %zu seeds\n", nseeds ? "" : "not ", nseeds);
	if (argc > 1 || !nseeds)
		return nseeds ? 0 : 1;
	for (i = 0; i < n; i++) {
		const struct input *s = &seeds[below(nseeds)];
		size_t size = s->n < MAX_SIZE ? s->n : MAX_SIZE, k = 1 + below(6);

		memcpy(work, s->p, size);
		while (k--)
			size = change(work, size);
		run(work, size);
	}
	printf("ok 2 - %ld changes of them\n1..2\n", n);
	for (i = 0; i < (long)nseeds; i++)
		free(seeds[i].p);
	return 0;
}
