/* SPDX-License-Identifier: MIT */
/*
 * The version answer beside its code and the two versions: not looked at.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_establish_protocol.
 */
#include "vc.h"

void vc_check_version_rest(u64 response)
{
    (void)response;
}
