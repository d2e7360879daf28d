/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_compat.h - what Linux 6.1 and 6.12 spell differently
 */
#ifndef GM_COMPAT_H
#define GM_COMPAT_H

#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_mod(struct vm_area_struct *vma, vm_flags_t set, vm_flags_t clear)
{
	vma->vm_flags = (vma->vm_flags | set) & ~clear;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
static inline void release_fault_lock(struct vm_fault *vmf)
{
	mmap_read_unlock(vmf->vma->vm_mm);
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
static inline unsigned long gml_find_area(unsigned long addr, unsigned long len,
					  unsigned long flags)
{
	return current->mm->get_unmapped_area(NULL, addr, len, 0, flags);
}
#else
static inline unsigned long gml_find_area(unsigned long addr, unsigned long len,
					  unsigned long flags)
{
	return mm_get_unmapped_area(current->mm, NULL, addr, len, 0, flags);
}
#endif

#endif
