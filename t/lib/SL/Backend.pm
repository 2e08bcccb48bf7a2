package SL::Backend;

# A plain server behind a proxy, for what a second httpd cannot do: it switches protocols and breaks off.
#
#   my $backend = SL::Backend->new;     ->port; it goes away with the object
#
# By the path of a request:
#   /echo      switches to "echo": sends back what it gets, ends when the client does
#   /greet     switches, sends 300,000 bytes ("G") before it reads, then like /echo
#   /bye       switches, sends "bye" and closes
#   /sink/N    switches, reads nothing until the file ->{dir}/go is there, then N bytes, and answers with their digest
#   /short     an ordinary answer that ends long before its Content-Length
# What does not begin like a request (a tunnel by CONNECT) is sent back as by /echo. What ended is in ->endings.

use strict;
use warnings;
use Digest::SHA;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_STREAM SOL_SOCKET SO_RCVBUF);
use SL::Command qw(free_port scratch_dir slurp stop_process wait_until);

sub new {
    my ($class, %o) = @_;
    my $self = bless { ip => '127.0.0.1', port => free_port(), dir => scratch_dir('sl-backend'), %o }, $class;
    my $listener = IO::Socket::IP->new(LocalHost => $self->{ip}, LocalPort => $self->{port}, Type => SOCK_STREAM,
        Listen => 64, ReuseAddr => 1) or die "listen on $self->{port}: $@";
    setsockopt $listener, SOL_SOCKET, SO_RCVBUF, 262144; # some systems let buffers grow to hold a whole test
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        $SIG{CHLD} = 'IGNORE';
        $SIG{PIPE} = 'IGNORE';
        POSIX::setpgid(0, 0);
        while (1) {
            my $client = $listener->accept or next;
            next if fork;
            eval { $self->serve($client); 1 } or print STDERR "backend: $@";
            POSIX::_exit(0);
        }
    }
    @$self{qw(pid owner)} = ($pid, $$);
    return $self;
}

sub port    { return $_[0]{port} }
sub endings { return slurp("$_[0]{dir}/endings") }

sub go { my ($self) = @_; open my $file, '>', "$self->{dir}/go" or die $!; return }

sub say_end {
    my ($self, $what) = @_;
    open my $file, '>>', "$self->{dir}/endings" or die $!;
    syswrite $file, "$what\n";
    return;
}

sub send_all {
    my ($to, $bytes) = @_;
    while (length $bytes) {
        my $n = syswrite $to, $bytes or return;
        substr($bytes, 0, $n) = '';
    }
    return 1;
}

sub echo {
    my ($self, $client, $first) = @_;
    send_all($client, $first) if length $first;
    while (1) {
        my $n = sysread $client, my $piece, 65536;
        if (!$n) { $self->say_end(defined $n ? 'echo: end' : "echo: $!"); return }
        send_all($client, $piece) or return;
    }
}

sub sink {
    my ($self, $client, $length, $first) = @_;
    my $sha = Digest::SHA->new(256)->add($first);
    my $left = $length - length $first;
    wait_until(sub { -e "$self->{dir}/go" }, 60);
    while ($left > 0) {
        my $n = sysread $client, my $piece, 65536 or return;
        $sha->add($piece);
        $left -= $n;
    }
    send_all($client, "$length " . $sha->hexdigest . "\n");
    return $self->echo($client, '');
}

sub serve {
    my ($self, $client) = @_;
    my $request = '';
    until ($request =~ /\r\n\r\n/) {
        sysread $client, $request, 65536, length $request or return;
        return $self->echo($client, $request) unless $request =~ /^(?:GET )?/ && length $request < 4 || $request =~ /^GET /;
    }
    my ($head, $rest) = split /\r\n\r\n/, $request, 2;
    my ($path) = $head =~ m{^GET (/\S*)};
    return send_all($client, "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" . 'S' x 1000) if $path =~ m{^/short};
    my ($protocol) = $head =~ /^Upgrade: (\S+)/mi;
    return send_all($client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n") unless $protocol;
    send_all($client, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: $protocol\r\n\r\n");
    return send_all($client, 'bye') if $path eq '/bye';
    return $self->sink($client, $1, $rest) if $path =~ m{^/sink/(\d+)};
    send_all($client, 'G' x 300000) if $path eq '/greet';
    return $self->echo($client, $rest);
}

sub stop { my ($self) = @_; stop_process(delete $self->{pid}, timeout => 5) if $self->{pid}; return }

sub DESTROY { my ($self) = @_; local ($?, $!, $@); $self->stop if $self->{owner} && $$ == $self->{owner} }

1;
