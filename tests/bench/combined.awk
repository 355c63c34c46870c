# What accesslog_exporter counts in a combined log, for mawk -F'"'.

{
	split($3, field, " ")
	requests[field[1]]++
	bytes[field[1]] += field[2]
}

END {
	for (status in requests)
		printf "%s %.0f %.0f\n", status, requests[status], bytes[status]
}
