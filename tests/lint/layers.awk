# `nm -g -P -A` of the layers' objects -> what breaks a wall, on stderr; exit 1.
# A line is `build/MODE/LAYER/MODULE.o: SYMBOL TYPE [VALUE SIZE]`.

BEGIN {
	# Library -> the modules that may call it.
	may["pcre2_"] = " core/pattern "
	may["yaml_"] = " core/document "
	may["uv_"] = " io/loop io/watch io/tailer io/reader io/rendezvous " \
	    "io/saver " \
	    "io/inputs io/input io/input_pipe io/input_tcp io/input_datagram "
	may["MHD_"] = " io/httpd "
	may["inflate"] = " io/gunzip "
	may["sqlite3_"] = " io/state_db "

	# What no core module may call: the world, the clock, threads, fate.
	n = split("open openat creat fopen fdopen freopen close read pread " \
	    "readv write pwrite writev lseek stat fstat lstat fstatat statx " \
	    "unlink rename opendir readdir mmap mprotect socket connect bind " \
	    "accept send recv sendto recvfrom poll select epoll_wait ioctl " \
	    "fcntl pipe dup dup2 printf vprintf fprintf vfprintf dprintf puts " \
	    "fputs putchar putc fputc fwrite fread fgets getc fgetc getline " \
	    "perror scanf fscanf stdin stdout stderr syslog time clock " \
	    "clock_gettime gettimeofday nanosleep usleep sleep alarm localtime " \
	    "localtime_r mktime setlocale getenv setenv secure_getenv rand " \
	    "random getrandom getpid fork execve signal sigaction kill exit " \
	    "_exit quick_exit atexit pthread_create pthread_join", names, " ")
	for (i = 1; i <= n; i++)
		denied[names[i]] = 1
}

function broken(text)
{
	print object ": " text | "cat >&2"
	status = 1
}

# The name in the source of what the C library's headers made of it.
function plain(symbol)
{
	sub(/@.*$/, "", symbol)
	sub(/^__isoc(99|23)_/, "", symbol)
	if (symbol ~ /^__.*_chk$/) {
		sub(/^__/, "", symbol)
		sub(/_chk$/, "", symbol)
	}
	sub(/^__(open|openat)(64)?_2$/, "open", symbol)
	if (symbol ~ /^_IO_(putc|getc)$/)
		sub(/^_IO_/, "", symbol)
	if (symbol ~ /^[a-z]+64$/)
		sub(/64$/, "", symbol)
	return symbol
}

# What the sanitizers add.
$2 ~ /^__+(asan|tsan|ubsan|lsan|odr_asan|sanitizer|sancov|start|stop)[_.]/ {
	next
}

{
	object = $1
	sub(/:$/, "", object)
	n = split(object, path, "/")
	layer = path[n - 1]
	module = path[n]
	sub(/\.o$/, "", module)
}

# Undefined, weakly or not.
$3 ~ /^[Uvw]$/ {
	name = plain($2)
	for (library in may)
		if (index(name, library) == 1 &&
		    !index(may[library], " " layer "/" module " "))
			broken("calls " name "; only" may[library] "may")
	if (layer == "core") {
		if (name in denied)
			broken("the core refers to " name)
		if (name ~ /^pthread_/ && module != "registry")
			broken("refers to " name "; only core/registry locks")
	}
	used[object, layer, $2] = 1
	next
}

{
	home[$2] = layer
	if ($2 == "main" && layer == "app" && module == "main")
		next
	if (index($2, module "_") != 1)
		broken("exports " $2 ", which is not " module "_*")
}

END {
	if (!NR) {
		print "layers: no object files" | "cat >&2"
		exit 1
	}
	rank["core"] = 0
	rank["io"] = 1
	rank["app"] = 2
	for (key in used) {
		split(key, part, SUBSEP)
		if (!(part[3] in home))
			continue
		object = part[1]
		if (rank[home[part[3]]] > rank[part[2]])
			broken(part[2] " refers to " part[3] " of " \
			    home[part[3]])
	}
	exit status
}
