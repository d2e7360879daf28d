// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_space.c - /dev/gmem: an open file is a space, a mapping of it is a range
 *
 * The file offset of a mapping is its address, and each open file has an
 * address_space of its own, so that zapping a unit is unmap_mapping_range() and
 * meets nobody else.  A mapping is
 *
 *	shared		  there is nothing to copy on write
 *	VM_PFNMAP, VM_IO  pages without a struct page user: none can be pinned
 *	VM_DONTCOPY	  a child does not inherit it; what it touches is a hole
 *	VM_DONTEXPAND	  mremap() cannot grow it ...
 *	.mremap		  ... and cannot move it
 *	.may_split	  munmap and mprotect cut at units only
 *
 * .open has nothing to do: a split adds no units.  .close drops [start, end) of
 * what is unmapped; the core does that after the page tables have been cleared.
 */
#include "gm_compat.h"
#include "gm_linux.h"

#include <linux/delay.h>
#include <linux/file.h>
#include <linux/huge_mm.h>
#include <linux/mman.h>
#include <linux/pfn_t.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "gm_map.h"

static u64 unit_of(u64 address)
{
	return address & ~((u64)gml_config.unit - 1);
}

/* ---- CPU faults ------------------------------------------------------- */

static vm_fault_t map_small(struct vm_fault *vmf, const struct gml_frame *f, u64 va)
{
	vm_fault_t ret = VM_FAULT_NOPAGE;
	u32 i;

	for (i = 0; i < 1U << f->order && ret == VM_FAULT_NOPAGE; i++)
		ret = vmf_insert_pfn(vmf->vma, va + i * PAGE_SIZE, gml_frame_pfn(f, i));
	return ret;
}

/*
 * The unit at @va is here and stays while we hold the lock: map all of it.
 * Linux 6.1 calls .huge_fault for DAX only, so this is done from .fault, where a
 * page table directory may have appeared by now: only we put one there.
 */
static vm_fault_t map_unit(struct vm_fault *vmf, struct gml_space *s, u64 va)
{
	struct gm_mapping *m = gm_as_find(s->as, va);
	struct gml_frame *f = (struct gml_frame *)(unsigned long)m->host_frame;
	pmd_t pmd = READ_ONCE(*vmf->pmd);

	f->space = s;
	if (pmd_trans_huge(pmd) || pmd_devmap(pmd))
		return VM_FAULT_NOPAGE;
	if (!gml_config.huge || !f->whole || gml_config.unit != PMD_SIZE || !pmd_none(pmd))
		return map_small(vmf, f, va);
	return vmf_insert_pfn_pmd(vmf, pfn_to_pfn_t(gml_frame_pfn(f, 0)),
				  vmf->flags & FAULT_FLAG_WRITE);
}

/* Sleep without mmap_lock; the fault begins again when we return. */
static vm_fault_t wait_unlocked(struct vm_fault *vmf, struct gml_wait *w)
{
	struct file *file;

	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT) {
		gml_wait_put(w);
		return VM_FAULT_RETRY;
	}
	file = get_file(vmf->vma->vm_file);
	release_fault_lock(vmf);
	gml_wait_for(w, vmf->flags & FAULT_FLAG_INTERRUPTIBLE ? TASK_INTERRUPTIBLE : TASK_KILLABLE);
	fput(file);
	return VM_FAULT_RETRY;
}

static vm_fault_t fault(struct vm_fault *vmf)
{
	struct gml_space *s = vmf->vma->vm_file->private_data;
	u64 va = unit_of(vmf->address);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct gml_wait *w;
	int err;

	if (vmf->vma->vm_mm != s->mm)
		return VM_FAULT_SIGBUS;
	do {
		w = gml_wait_new();
		if (!w)
			return VM_FAULT_OOM;
		mutex_lock(&gml.lock);
		err = gml_call_cpu_fault(s, va, vmf->flags & FAULT_FLAG_WRITE, w);
		if (!err)
			ret = map_unit(vmf, s, va);
		mutex_unlock(&gml.lock);
		if (err != -EINPROGRESS) {
			gml_wait_put(w);
			break;
		}
		if (fault_flag_allow_retry_first(vmf->flags))
			return wait_unlocked(vmf, w);
		err = gml_wait_for(w, TASK_KILLABLE);
		if (err == -EINTR)
			return VM_FAULT_NOPAGE; /* to die */
	} while (!err);
	/* no memory is SIGBUS as with hugetlbfs: killing others would not help */
	return ret;
}

/* ---- mappings --------------------------------------------------------- */

static bool is_ours(const struct vm_area_struct *vma)
{
	return vma->vm_pgoff == vma->vm_start >> PAGE_SHIFT;
}

static void close_range(struct vm_area_struct *vma)
{
	struct gml_space *s = vma->vm_file->private_data;
	u64 bytes = vma->vm_end - vma->vm_start;
	int err;

	if (!is_ours(vma)) /* where a refused mremap() would have gone */
		return;
	for (;;) {
		mutex_lock(&gml.lock);
		err = gml_call_munmap(s, vma->vm_start, bytes);
		if (!err)
			s->units -= bytes >> gml.order >> PAGE_SHIFT;
		mutex_unlock(&gml.lock);
		if (err != -ENOMEM)
			break;
		msleep(20); /* a few hundred bytes will come free: this cannot fail */
	}
	WARN_ON_ONCE(err);
}

static int may_split(struct vm_area_struct *vma, unsigned long address)
{
	return IS_ALIGNED(address, gml_config.unit) ? 0 : -EINVAL;
}

static int refuse_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static const struct vm_operations_struct range_ops = {
	.fault = fault,
	.close = close_range,
	.may_split = may_split,
	.mremap = refuse_mremap,
};

static int space_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gml_space *s = file->private_data;
	u64 bytes = vma->vm_end - vma->vm_start, units = bytes >> gml.order >> PAGE_SHIFT;
	int err;

	if (current->mm != s->mm)
		return -EPERM;
	if (!(vma->vm_flags & VM_SHARED) || vma->vm_flags & VM_EXEC ||
	    !IS_ALIGNED(vma->vm_start, gml_config.unit) || !IS_ALIGNED(bytes, gml_config.unit))
		return -EINVAL;
	mutex_lock(&gml.lock);
	err = s->units + units > gml_config.max_units ? -ENOMEM
						      : gml_call_mmap(s, vma->vm_start, bytes);
	if (!err)
		s->units += units;
	mutex_unlock(&gml.lock);
	if (err)
		return err;
	vma->vm_pgoff = vma->vm_start >> PAGE_SHIFT;
	vma->vm_ops = &range_ops;
	vm_flags_mod(vma, VM_PFNMAP | VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC);
	return 0;
}

/* Room for an aligned range inside a larger hole. */
static unsigned long find_area(struct file *file, unsigned long addr, unsigned long len,
			       unsigned long pgoff, unsigned long flags)
{
	unsigned long unit = gml_config.unit, at;

	if (flags & MAP_FIXED)
		return addr;
	if (len + unit < len)
		return -ENOMEM;
	at = gml_find_area(round_up(addr, unit), len + unit, flags);
	return IS_ERR_VALUE(at) ? at : round_up(at, unit);
}

/* ---- advice ----------------------------------------------------------- */

/* [locked]  Prefetches and the like stay within one range (as openEuler's). */
static bool in_one_range(struct gml_space *s, u64 va, u64 end)
{
	const struct gm_range *r = gm_as_range_from(s->as, va);

	return r && r->va <= unit_of(va) && end <= r->va + r->n * gml_config.unit;
}

static int advice_of(int behavior)
{
	switch (behavior) {
	case GMEM_MADV_PREFETCH:
		return GM_ADVISE_PREFETCH;
	case GMEM_MADV_DONTNEED:
		return GM_ADVISE_FREE_EAGER;
	case GMEM_MADV_PINNED:
		return GM_ADVISE_PIN;
	case GMEM_MADV_UNPINNED:
		return GM_ADVISE_UNPIN;
	case GMEM_MADV_WILLNEED:
		return GM_ADVISE_WILLNEED;
	}
	return -EINVAL;
}

int gml_space_advise(struct gml_space *s, s32 hnid, u64 va, u64 bytes, int behavior, u32 state)
{
	int err, advice = advice_of(behavior);
	struct gml_wait *w;

	if (advice < 0 || va + bytes < va || va + bytes > TASK_SIZE)
		return -EINVAL;
	if (hnid < -1 || hnid >= (s32)gml.nr_devs || (hnid < 0 && advice != GM_ADVISE_FREE_EAGER))
		return -EINVAL;
	w = gml_wait_new();
	if (!w)
		return -ENOMEM;
	mutex_lock(&gml.lock);
	if (bytes && advice != GM_ADVISE_FREE_EAGER && !in_one_range(s, va, va + bytes))
		err = -EINVAL;
	else
		err = gml_call_advise(s, hnid, va, bytes, (u32)advice, w);
	mutex_unlock(&gml.lock);
	if (err == -EINPROGRESS)
		return gml_wait_for(w, state);
	gml_wait_put(w);
	return err;
}

static long ioctl_advise(struct gml_space *s, void __user *arg)
{
	struct hmadvise_arg a;

	if (copy_from_user(&a, arg, sizeof(a)))
		return -EFAULT;
	return gml_space_advise(s, a.hnid, a.start, a.len_in, a.behavior, TASK_INTERRUPTIBLE);
}

static long ioctl_info(void __user *arg)
{
	struct gmem_info info = {
		.unit = gml_config.unit,
		.hbm_bytes = gml.devs[0].frames * gml_config.unit,
		.devices = gml.nr_devs,
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long space_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct gml_space *s = file->private_data;
	void __user *p = (void __user *)arg;

	/* another process may hold the file, but the addresses are not its own */
	if (current->mm != s->mm)
		return -EPERM;
	switch (cmd) {
	case GMEM_GET_HNUMA_ID:
		return put_user((int)gm_dev_id(gml.devs[0].core), (int __user *)p);
	case GMEM_MADVISE:
		return ioctl_advise(s, p);
	case GMEM_INFO:
		return ioctl_info(p);
	case GMEM_PROG_RUN:
	case GMEM_PROG_SUBMIT:
	case GMEM_STREAM_SYNC:
		return gml_prog_ioctl(s, cmd, p);
	}
	return -EINVAL; /* as openEuler's */
}

/* ---- life ------------------------------------------------------------- */

static const struct address_space_operations no_aops = {};

static int space_open(struct inode *inode, struct file *file)
{
	struct gml_space *s = kzalloc(sizeof(*s), GFP_KERNEL_ACCOUNT);
	int err;

	if (!s)
		return -ENOMEM;
	mutex_init(&s->stream_lock);
	s->pid = task_tgid_nr(current);
	s->mm = current->mm;
	address_space_init_once(&s->mapping);
	s->mapping.host = inode;
	s->mapping.a_ops = &no_aops;
	mutex_lock(&gml.lock);
	s->id = ++gml.next_space;
	err = gml_call_create(s);
	if (!err)
		list_add_tail(&s->link, &gml.spaces);
	mutex_unlock(&gml.lock);
	if (err) {
		kfree(s);
		return err;
	}
	atomic_inc(&gml.live.spaces);
	mmgrab(s->mm); /* the pointer is not another's while we compare it */
	file->private_data = s;
	file->f_mapping = &s->mapping;
	return 0;
}

static bool try_destroy(struct gml_space *s)
{
	bool idle;

	gml_serial_run(NULL);
	mutex_lock(&gml.lock);
	idle = gm_as_is_idle(s->as);
	if (idle) {
		list_del(&s->link);
		gml_call_destroy(s);
	}
	mutex_unlock(&gml.lock);
	return idle;
}

/* All mappings are closed by now; moves of their units may be in progress. */
static int space_release(struct inode *inode, struct file *file)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct gml_space *s = file->private_data;

	gml_streams_stop(s);
	add_wait_queue(&gml.progress, &wait);
	while (!try_destroy(s))
		wait_woken(&wait, TASK_UNINTERRUPTIBLE, HZ);
	remove_wait_queue(&gml.progress, &wait);
	mmdrop(s->mm);
	kfree(s);
	atomic_dec(&gml.live.spaces);
	return 0;
}

const struct file_operations gml_fops = {
	.owner = THIS_MODULE,
	.open = space_open,
	.release = space_release,
	.mmap = space_mmap,
	.get_unmapped_area = find_area,
	.unlocked_ioctl = space_ioctl,
};
