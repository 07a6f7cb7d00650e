/** The bounds of one delivery of charges in mode `soft`. */

/**
 * Settlements of one call to an object. Where the object does not respond, they become four `budget_charge` events of the
 * delivering request, each with at most 32 settlements; an event id has 16 positions.
 */
export const MAX_GATHERED = 128;
/** Charges of these settlements together: some 150 KB. */
export const MAX_CHARGES = 512;
