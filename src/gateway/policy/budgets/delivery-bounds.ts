/** The bounds of one delivery of charges in mode `soft`. */

/** Settlements of one call to an object: as many as events of the delivering request can take where the object does not. */
export const MAX_GATHERED = 128;
/** Charges of them: some 150 KB. */
export const MAX_CHARGES = 512;
