/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IPVS_HOST_MODULE_H
#define IPVS_HOST_MODULE_H

/*
 * Ask for the generic netlink family of IPVS, which makes the kernel load its module where it has
 * one; its sysctls are there afterwards. That it fails shows later, with better words.
 */
void host_module_load(void);

#endif
