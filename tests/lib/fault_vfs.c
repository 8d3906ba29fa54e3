/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fault_vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/buf.h"
#include "agent/base/file.h"
#include "agent/base/xalloc.h"

#define SECTOR	  512
#define FILES_MAX 16
#define FILE_MAX  (64u << 20)

/* A file as it was synced last. */
struct image {
	char *path;
	struct buf synced;
};

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
	char *path;
};

static struct {
	pthread_mutex_t lock;
	enum fault fault;
	unsigned after, failed;
	bool torn; /* already */
	bool watching;
	struct image images[FILES_MAX];
	size_t image_count;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

static sqlite3_vfs *real_vfs;
static sqlite3_vfs fault_vfs;

void fault_vfs_set(enum fault f, unsigned after)
{
	pthread_mutex_lock(&disk.lock);
	disk.fault = f;
	disk.after = after;
	disk.torn = false;
	pthread_mutex_unlock(&disk.lock);
}

unsigned fault_vfs_take_failed(void)
{
	unsigned n;

	pthread_mutex_lock(&disk.lock);
	n = disk.failed;
	disk.failed = 0;
	pthread_mutex_unlock(&disk.lock);
	return n;
}

/* Does this operation fail? *torn: after its half was done; *full: for want of space. */
static bool fails(bool is_sync, bool is_write, bool *torn, bool *full)
{
	bool fail = false;

	pthread_mutex_lock(&disk.lock);
	*torn = false;
	switch (disk.fault) {
	case FAULT_NONE:
		break;
	case FAULT_FULL:
		fail = is_write;
		break;
	case FAULT_IO:
	case FAULT_TORN:
		fail = true;
		break;
	case FAULT_SYNC:
		fail = is_sync;
		break;
	}
	if (fail && disk.after) {
		disk.after--;
		fail = false;
	}
	if (fail) {
		disk.failed++;
		*torn = disk.fault == FAULT_TORN && is_write && !disk.torn;
		disk.torn = disk.torn || *torn;
	}
	*full = disk.fault == FAULT_FULL;
	pthread_mutex_unlock(&disk.lock);
	return fail;
}

/* --- what is synced ------------------------------------------------------------- */

static struct image *image_of(const char *path)
{
	for (size_t i = 0; i < disk.image_count; i++) {
		if (strcmp(disk.images[i].path, path) == 0)
			return &disk.images[i];
	}
	if (disk.image_count == FILES_MAX)
		abort();
	disk.images[disk.image_count] = (struct image){ xstrdup(path), { 0 } };
	return &disk.images[disk.image_count++];
}

static void take_image(const char *path)
{
	pthread_mutex_lock(&disk.lock);
	if (disk.watching && path) {
		struct image *i = image_of(path);

		buf_reset(&i->synced);
		(void)!file_read(path, FILE_MAX, &i->synced, NULL);
	}
	pthread_mutex_unlock(&disk.lock);
}

/* What was cut off does not come back where the file grows again: those are other blocks. */
static void cut_image(const char *path, size_t size)
{
	pthread_mutex_lock(&disk.lock);
	for (size_t i = 0; path && i < disk.image_count; i++) {
		struct image *image = &disk.images[i];

		if (strcmp(image->path, path) == 0 && image->synced.len > size)
			image->synced.len = size;
	}
	pthread_mutex_unlock(&disk.lock);
}

void fault_vfs_watch(void)
{
	pthread_mutex_lock(&disk.lock);
	for (size_t i = 0; i < disk.image_count; i++) {
		free(disk.images[i].path);
		buf_done(&disk.images[i].synced);
	}
	disk.image_count = 0;
	disk.watching = true;
	pthread_mutex_unlock(&disk.lock);
}

static void cut_file(struct image *image, struct random *r)
{
	CLEANUP(buf_done) struct buf now = { 0 };
	struct buf *old = &image->synced;

	if (file_read(image->path, FILE_MAX, &now, NULL) < 0)
		return; /* deleted meanwhile */
	for (size_t at = 0; at < now.len; at += SECTOR) {
		size_t len = now.len - at < SECTOR ? now.len - at : SECTOR;

		if (random_below(r, 2))
			continue;
		/* A part that was never synced reads as zeros. */
		memset(now.data + at, 0, len);
		if (at < old->len)
			memcpy(now.data + at, old->data + at,
			       old->len - at < len ? old->len - at : len);
	}
	if (file_write(image->path, now.data, now.len, NULL) < 0)
		abort();
}

void fault_vfs_power_cut(struct random *r)
{
	for (size_t i = 0; i < disk.image_count; i++)
		cut_file(&disk.images[i], r);
	fault_vfs_watch();
}

/* --- files ----------------------------------------------------------------------- */

#define REAL(f) (((struct fault_file *)(f))->real)

static int on_close(sqlite3_file *f)
{
	int r = REAL(f)->pMethods->xClose(REAL(f));

	free(((struct fault_file *)f)->path);
	return r;
}

static int on_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	return REAL(f)->pMethods->xRead(REAL(f), to, len, at);
}

static int on_write(sqlite3_file *f, const void *data, int len, sqlite3_int64 at)
{
	bool torn, full;

	if (fails(false, true, &torn, &full)) {
		if (torn)
			REAL(f)->pMethods->xWrite(REAL(f), data, len / 2, at);
		return full ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	}
	return REAL(f)->pMethods->xWrite(REAL(f), data, len, at);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	bool torn, full;

	if (fails(false, false, &torn, &full))
		return SQLITE_IOERR_TRUNCATE;
	cut_image(((struct fault_file *)f)->path, (size_t)size);
	return REAL(f)->pMethods->xTruncate(REAL(f), size);
}

static int on_sync(sqlite3_file *f, int flags)
{
	bool torn, full;
	int r;

	if (fails(true, false, &torn, &full))
		return SQLITE_IOERR_FSYNC;
	r = REAL(f)->pMethods->xSync(REAL(f), flags);
	take_image(((struct fault_file *)f)->path);
	return r;
}

static int on_file_size(sqlite3_file *f, sqlite3_int64 *out)
{
	return REAL(f)->pMethods->xFileSize(REAL(f), out);
}

static int on_lock(sqlite3_file *f, int lock)
{
	return REAL(f)->pMethods->xLock(REAL(f), lock);
}

static int on_unlock(sqlite3_file *f, int lock)
{
	return REAL(f)->pMethods->xUnlock(REAL(f), lock);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
	return REAL(f)->pMethods->xCheckReservedLock(REAL(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	return REAL(f)->pMethods->xFileControl(REAL(f), op, arg);
}

static int on_sector_size(sqlite3_file *f)
{
	(void)f;
	return SECTOR;
}

/* No promise: what shares a sector with a write may be torn with it. */
static int on_characteristics(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return REAL(f)->pMethods->xShmMap(REAL(f), page, size, extend, out);
}

static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return REAL(f)->pMethods->xShmLock(REAL(f), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *f)
{
	REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int on_shm_unmap(sqlite3_file *f, int delete)
{
	return REAL(f)->pMethods->xShmUnmap(REAL(f), delete);
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xClose = on_close,
	.xRead = on_read,
	.xWrite = on_write,
	.xTruncate = on_truncate,
	.xSync = on_sync,
	.xFileSize = on_file_size,
	.xLock = on_lock,
	.xUnlock = on_unlock,
	.xCheckReservedLock = on_check_lock,
	.xFileControl = on_control,
	.xSectorSize = on_sector_size,
	.xDeviceCharacteristics = on_characteristics,
	.xShmMap = on_shm_map,
	.xShmLock = on_shm_lock,
	.xShmBarrier = on_shm_barrier,
	.xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
		   int *out_flags)
{
	struct fault_file *f = (struct fault_file *)file;
	int r;

	(void)vfs;
	f->real = (sqlite3_file *)(f + 1);
	f->base.pMethods = NULL;
	r = real_vfs->xOpen(real_vfs, name, f->real, flags, out_flags);
	if (r != SQLITE_OK)
		return r;
	f->path = name ? xstrdup(name) : NULL;
	f->base.pMethods = &methods;
	return r;
}

/* One of that name that is made later is another file. */
static int on_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	pthread_mutex_lock(&disk.lock);
	for (size_t i = 0; i < disk.image_count; i++) {
		if (strcmp(disk.images[i].path, name) == 0)
			buf_reset(&disk.images[i].synced);
	}
	pthread_mutex_unlock(&disk.lock);
	return real_vfs->xDelete(real_vfs, name, sync);
}

void fault_vfs_register(void)
{
	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	fault_vfs = *real_vfs;
	fault_vfs.zName = "fault";
	fault_vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
	fault_vfs.xOpen = on_open;
	fault_vfs.xDelete = on_delete;
	fault_vfs.pNext = NULL;
	sqlite3_vfs_register(&fault_vfs, 0);
}
