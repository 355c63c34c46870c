#include "accesslog/follow.h"

struct follow_decision
follow_decide(const struct follow_known *known, const struct follow_seen *seen)
{
	struct follow_decision d = { FOLLOW_READ_ON, FOLLOW_STAYS, 0 };

	if (seen->path_unknown)
		d.place = FOLLOW_STAYS;
	else if (!seen->path_exists)
		d.place = FOLLOW_REMOVED;
	else if (!follow_same(seen->path_id, known->id))
		d.place = FOLLOW_REPLACED;

	if (seen->size_bytes < known->offset ||
	    seen->anchor == FOLLOW_ANCHOR_DIFFERS) {
		d.content = FOLLOW_TRUNCATED;
		d.lost_bytes = known->size_bytes - known->offset;
	} else if (seen->anchor == FOLLOW_ANCHOR_UNREADABLE) {
		d.content = FOLLOW_WAIT;
	} else if (seen->size_bytes < known->size_bytes) {
		d.lost_bytes = known->size_bytes - seen->size_bytes;
	}
	return d;
}

bool
follow_finished(uint64_t quiet_since_ms, uint64_t now_ms, uint64_t hold_ms)
{
	return now_ms >= quiet_since_ms && now_ms - quiet_since_ms >= hold_ms;
}
