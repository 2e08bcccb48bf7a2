package SL::Between;

# Stands between one client and the server and moves bytes only when told to, so that a test can hold one side back, see
# the records that pass, and end the connection in any way.
#
#   my $relay = SL::Between->new(port => $httpd->port('https'));
#   my $tls   = $client->tls('one.test', port => $relay->port);     or start() of any other client
#   $relay->join;                                                   takes the client, connects to the server
#   $relay->pump(until => sub { ... }, seconds => 5)                both ways until the code says true (its value)
#   $relay->pump(from => 'server', until => ...)                    one way: what the client sends waits
#   $relay->records('server')                                       [type, length] of each whole record it sent
#   $relay->seen('client')                                          its bytes
#   $relay->ended('server')                                         has it closed? 'closed' or 'reset'
#   $relay->half_close('server'), $relay->reset('server'), $relay->close

use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use Socket qw(SOCK_STREAM SOL_SOCKET SO_LINGER SHUT_WR IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use SL::Command qw(slow);

my %other = (client => 'server', server => 'client');

sub new {
    my ($class, %o) = @_;
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Type => SOCK_STREAM, Listen => 5)
        or die "listen: $@";
    return bless { ip => '127.0.0.1', %o, listener => $listener }, $class;
}

sub port { return $_[0]{listener}->sockport }

# Takes the next client. The bytes of an earlier one are forgotten.
sub join {
    my ($self) = @_;
    IO::Select->new($self->{listener})->can_read(10 * slow()) or die 'no client came';
    my $client = $self->{listener}->accept or die "accept: $!";
    my $server = IO::Socket::IP->new(PeerHost => $self->{ip}, PeerPort => $self->{port}, Type => SOCK_STREAM)
        or die "connect: $@";
    setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for $client, $server;
    @$self{qw(client server)} = ($client, $server);
    $self->{seen} = { client => '', server => '' };
    $self->{end}  = {};
    return $self;
}

# What has come from that side, moved on to the other; false if nothing has, or it is at its end.
sub move {
    my ($self, $from) = @_;
    my ($in, $out) = @$self{ $from, $other{$from} };
    my $n = sysread $in, my $bytes, 65536;
    if (!$n) {
        $self->{end}{$from} = defined $n ? 'closed' : 'reset';
        shutdown $out, SHUT_WR if $out && !$self->{keep_open};
        return 0;
    }
    $self->{seen}{$from} .= $bytes;
    local $SIG{PIPE} = 'IGNORE';
    while ($out && length $bytes) {
        my $written = syswrite $out, $bytes or last;
        substr $bytes, 0, $written, '';
    }
    return 1;
}

sub pump {
    my ($self, %o) = @_;
    my @from = $o{from} || qw(client server);
    my $deadline = time + ($o{seconds} || 10) * slow();
    while (1) {
        my $value = $o{until} && $o{until}->();
        return $value if $value;
        return if time >= $deadline;
        my $select = IO::Select->new(map { $self->{$_} && !$self->{end}{$_} ? $self->{$_} : () } @from);
        if (!$select->count) { return if !$o{until}; select undef, undef, undef, 0.01; next }
        for my $ready ($select->can_read(0.01)) {
            $self->move($self->{client} && $ready == $self->{client} ? 'client' : 'server');
        }
    }
}

sub seen  { return $_[0]{seen}{ $_[1] } }
sub ended { return $_[0]{end}{ $_[1] } }

sub records {
    my ($self, $from) = @_;
    my ($bytes, @records) = $self->seen($from);
    while (length $bytes >= 5) {
        my ($type, $version, $length) = unpack 'Cnn', $bytes;
        last if length $bytes < 5 + $length;
        push @records, [$type, $length];
        substr $bytes, 0, 5 + $length, '';
    }
    return @records;
}

sub send { my ($self, $to, $bytes) = @_; local $SIG{PIPE} = 'IGNORE'; return syswrite $self->{$to}, $bytes }

# The end of the other side's bytes, as `to` sees it.
sub half_close { my ($self, $to) = @_; return shutdown $self->{$to}, SHUT_WR }

sub reset {
    my ($self, $to) = @_;
    setsockopt $self->{$to}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    return CORE::close delete $self->{$to};
}

sub close {
    my ($self) = @_;
    for my $side (qw(client server)) { CORE::close delete $self->{$side} if $self->{$side} }
    return;
}

# The ClientHello that a command (of SL::Client::s_client_command) sends, with the records it comes in.
sub hello_of {
    my ($client, $name, @args) = @_;
    my $self = SL::Between->new(port => 0);
    my $pid = SL::Command::start($client->s_client_command($name, { port => $self->port, args => \@args }),
        stdout => '/dev/null', stderr => '/dev/null');
    IO::Select->new($self->{listener})->can_read(10 * slow()) or die 'no hello';
    my $in = $self->{listener}->accept or die "accept: $!";
    my $bytes = '';
    while (length $bytes < 5 || length $bytes < 5 + unpack 'x3n', $bytes) { sysread $in, $bytes, 65536, length $bytes or last }
    CORE::close $in;
    SL::Command::stop_process($pid);
    return $bytes;
}

1;
